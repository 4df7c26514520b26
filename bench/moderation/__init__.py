"""What moderation costs a message."""
