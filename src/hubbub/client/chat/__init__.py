"""Conversations: every operation with its types, a store that events keep true, files."""
