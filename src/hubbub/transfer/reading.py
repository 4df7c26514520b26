"""Lines from a file, in bounded memory whatever it holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from hubbub.transfer.lines import LONGEST, Entry, Fault, Workspace, decode

CHUNK = 1024 * 1024


class Unreadable(Exception):
    """A source that cannot be read at all; the text says why."""


class Source(Protocol):
    """Something to import. `id` names this import, `origin` what its messages' ids are of; `size` is in the
    units of `Entry.place`."""

    @property
    def id(self) -> str: ...

    @property
    def origin(self) -> str: ...

    @property
    def size(self) -> int: ...

    def entries(self, place: int, number: int) -> Iterator[Entry]:
        """What comes behind `place`, where the line `number` ended. Raises Unreadable."""


class LineFile:
    """A file in the format of `lines`. A conversation keeps its id wherever it goes, so that its messages are known by
    theirs in it, whichever copy of a database they come from."""

    origin = "lines"

    def __init__(self, path: Path) -> None:
        """Raises Unreadable and OSError."""
        self.path = path
        self.size = path.stat().st_size
        with path.open("rb") as file:
            first = decode(file.readline(LONGEST))
        if not isinstance(first, Workspace):
            why = f": {first.why}" if isinstance(first, Fault) else ""
            raise Unreadable(f"{path}: the first line is no workspace of version 1{why}")
        self.id = f"{first.source}:{first.created!r}"

    def entries(self, place: int, number: int) -> Iterator[Entry]:
        """See `Source`."""
        with self.path.open("rb") as file:
            if place:
                file.seek(place - 1)
                if file.read(1) != b"\n":
                    raise Unreadable(f"{self.path}: it is not the file that was begun with")
            while raw := file.readline(LONGEST + 1):
                number += 1
                if len(raw) > LONGEST:
                    _skip(file, raw)
                    yield Entry(number, file.tell(), Fault(f"more than {LONGEST} bytes"))
                elif not raw.isspace():
                    yield Entry(number, file.tell(), decode(raw))


def _skip(file: BinaryIO, raw: bytes) -> None:
    """Go behind the line that begins with `raw`."""
    while raw and not raw.endswith(b"\n"):
        raw = file.readline(CHUNK)
