"""How the load generator gives up."""

from __future__ import annotations


class BenchError(Exception):
    """The run cannot go on; the message says what to do."""
