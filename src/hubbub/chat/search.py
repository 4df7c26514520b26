"""Full-text search."""

from __future__ import annotations

from hubbub.chat.search_index import index, reindex, remove

__all__ = ["index", "reindex", "remove"]
