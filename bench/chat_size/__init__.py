"""Whether a conversation of 1,000,000 messages pages, counts and searches about as fast as one of 1,000."""
