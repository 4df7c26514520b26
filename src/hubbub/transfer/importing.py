"""An import: batch after batch from a source into a store, each with how far it has come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace

from hubbub.config import Config
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Snapshot, Store
from hubbub.storage.tables import imports
from hubbub.transfer.batches import APPLY, Batch, Counts, Outcome
from hubbub.transfer.lines import End, Entry, Fault, Workspace, tag_of
from hubbub.transfer.posting import Places
from hubbub.transfer.reading import Source, Unreadable

BATCH = 500
"""Lines of one transaction."""
BATCH_BYTES = 4 * 1024 * 1024
"""What a batch may have, but for its last line."""
REMEMBERED = 50_000
"""Messages whose places need not be looked up when somebody replies to them."""
ATTEMPTS = 5
_counts = msgspec.json.Decoder(Counts).decode

Progress = Callable[[Counts, int], object]
"""Told after each batch: what has come of it so far, and the place."""
Tell = Callable[[int, str], object]
"""Told of each line that is not brought: its number, and why."""


class Report(Struct, frozen=True):
    """How an import has ended. `again`: all of it was there already. `whole`: the source's end was seen."""

    counts: Counts
    whole: bool
    again: bool = False


class Importer:
    """One import. `strict`: the first line that cannot be brought ends it, with nothing of its batch written."""

    def __init__(
        self,
        store: Store,
        config: Config,
        source: Source,
        *,
        strict: bool = False,
        progress: Progress = lambda counts, place: None,
        tell: Tell = lambda number, why: None,
    ) -> None:
        self.store = store
        self.config = config
        self.source = source
        self.strict = strict
        self.progress = progress
        self.tell = tell
        self.counts = Counts()
        self._places: Places = {}
        self._faults = 0
        self._pending: list[Entry] = []
        self._place = 0

    async def run(self, *, resume: bool = False) -> Report:
        """Bring all of it, or with `resume` what is left. To bring something twice is to bring it once.

        Raises Unreadable, HubbubError VALIDATION_FAILED (`strict`) and what the store raises.
        """
        if self.source.id.partition(":")[0] == self.store.epoch:
            raise Unreadable("it was exported from this database")
        place = 0
        if (before := await self.store.read(self._before)) is not None:
            position, state, counts = before
            if state == "done":
                return Report(counts, True, again=True)
            if resume:
                place, self.counts = position, counts
        self._place = place
        seen: dict[str, int] = {}
        end: End | None = None
        entries = self.source.entries(place, self.counts.number)
        while some := await asyncio.to_thread(_next, entries, self._place):
            end = self._sort(some, end, seen, place == 0)
            await self._flush()
        if end is not None:
            await self._flush(done=True)
        return Report(self.counts, end is not None)

    def _sort(
        self, entries: Sequence[Entry], end: End | None, seen: dict[str, int], from_start: bool
    ) -> End | None:
        """Keep what is to be brought; gives the end, if it was seen."""
        for entry in entries:
            self._place = entry.place
            self.counts = replace(self.counts, number=entry.number)
            if isinstance(entry.line, Fault):
                self._refuse(entry.number, entry.line.why)
            elif end is not None:
                self._refuse(entry.number, "it comes after the end")
            else:
                name = tag_of(entry.line)
                seen[name] = seen.get(name, 0) + 1
                if isinstance(entry.line, End):
                    end = entry.line
                    if from_start:
                        self._compare(entry.number, end.counts, seen)
                elif not isinstance(entry.line, Workspace):
                    self._pending.append(entry)
        return end

    def _before(self, snapshot: Snapshot) -> tuple[int, str, Counts] | None:
        query = sa.select(imports.c.position, imports.c.state, imports.c.counts)
        row = snapshot.execute(query.where(imports.c.id == self.source.id)).first()
        return None if row is None else (row.position, row.state, _counts(row.counts))

    def _refuse(self, number: int, why: str) -> None:
        if self.strict:
            raise HubbubError(ErrorCode.VALIDATION_FAILED, f"line {number}: {why}")
        self._faults += 1
        self.tell(number, why)

    def _compare(self, number: int, said: dict[str, int], seen: dict[str, int]) -> None:
        for name, count in said.items():
            if name != "end" and seen.get(name, 0) != count:
                self._refuse(
                    number, f"there should be {count} lines of the type {name}, not {seen.get(name, 0)}"
                )

    async def _flush(self, *, done: bool = False) -> None:
        batch = Batch(
            self.config,
            self.source.id,
            self.source.origin,
            tuple(self._pending),
            self._places,
            self.counts,
            self.counts.number,
            self._place,
            self.strict,
            self._faults,
            done,
        )
        outcome = await self._write(batch)
        self.counts = outcome.counts
        self._pending, self._faults = [], 0
        for number, why in outcome.refused:
            self.tell(number, why)
        for place in outcome.places:
            self._places.pop(place, None)
        self._places |= outcome.places
        for place in list(islice(self._places, max(0, len(self._places) - REMEMBERED))):
            del self._places[place]
        self.progress(self.counts, self._place)

    async def _write(self, batch: Batch) -> Outcome:
        """What is not written for a while is tried again: a batch that was written after all is known then."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self.store.write(APPLY, batch)
            except HubbubError as error:
                if not error.info.temporary or attempt == ATTEMPTS:
                    raise
                await asyncio.sleep(error.retry_after or attempt)
        raise AssertionError


def _next(entries: Iterator[Entry], place: int) -> list[Entry]:
    """The next batch. Reads the source, so it is called in a thread."""
    found: list[Entry] = []
    for entry in entries:
        found.append(entry)
        if len(found) >= BATCH or entry.place - place >= BATCH_BYTES:
            break
    return found
