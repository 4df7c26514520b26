"""The known kinds of parts, a module each. `chat/parts.py` has the table of them."""
