"""Lua for Redis, kept as files beside the code that uses it."""

from __future__ import annotations

import hashlib
from importlib import resources

from msgspec import Struct


class Script(Struct, frozen=True):
    """A script, and the SHA-1 of it by which Redis knows it. Nothing of a user's stands in `source`: it comes as
    KEYS and ARGV."""

    source: str
    sha: str

    @classmethod
    def of(cls, source: str) -> Script:
        return cls(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())

    @classmethod
    def load(cls, room: str, name: str) -> Script:
        """`hubbub/<room>/lua/<name>.lua`. It reads a file: at import, not on a loop."""
        path = resources.files(f"hubbub.{room}").joinpath("lua", f"{name}.lua")
        return cls.of(path.read_text(encoding="utf-8"))
