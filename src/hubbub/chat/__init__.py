"""Conversations, messages and what is with them: the domain on top of channels, stored durably."""
