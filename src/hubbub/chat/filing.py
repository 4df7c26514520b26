"""Files as they live: their bytes come in, are looked at, are served, and go. `app.chat.files`.

A file is `uploading`, then `checking`, then `ready` or `refused`, and in the end `gone`. Each step is one transaction
that fails if the file is not in the state before it; the bytes follow what the database says, never the other way. So
any node can go on where another one has died: an upload by its pieces, and the rest by the agenda, which looks at each
file when its time has come (`expires`).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace

from hubbub.attachments.base import Blobs
from hubbub.attachments.examine import Examined, Examiner
from hubbub.attachments.scan import ScanFile, ScannedFile, scan
from hubbub.attachments.serving import matches
from hubbub.attachments.signing import Signer
from hubbub.attachments.uploads import Checksum, Piece, Upload, conflict, folder_of, receive
from hubbub.chat import attaching
from hubbub.chat.agenda import Handler, Item
from hubbub.chat.attaching import LOOK, FileRow, Picture, known, no_such_file, row_of
from hubbub.chat.files import begin
from hubbub.chat.ledger import Actor, Ledger
from hubbub.config import AttachmentsConfig, Config
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.base import Action, Transaction, each
from hubbub.storage.tables import files, meta
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

log = get_logger("hubbub.chat")

LOOKERS = 2
"""Files that one node looks at, at once, for each of its processes that look at images."""
SLACK = 60.0
"""Seconds that looking at a file may take beside the limits of its parts; then another node does it."""
REFUSED_TTL = 3_600.0
"""Seconds for which one can see why a file was refused."""
SECRET = "files_secret"

Examine = Callable[[Path, str, AttachmentsConfig], Awaitable[Examined]]


class _Step(Struct, frozen=True):
    """A file goes on. `pieces` are those of an upload so far; `examined` is what was found in it."""

    config: Config
    id: str
    received: int = 0
    pieces: tuple[Piece, ...] = ()
    now_received: int = 0
    examined: Examined | None = None
    pictures: tuple[Picture, ...] = ()
    size: int = 0


def _advance(tx: Transaction, step: _Step) -> FileRow:
    """An upload has come further: not if it is not where it was. The last bytes have it looked at."""
    ledger = Ledger(tx, step.config)
    row = known(tx, (step.id,)).get(step.id)
    if row is None or row.state == "gone":
        raise no_such_file()
    if row.state != "uploading" or row.received != step.received:
        raise conflict(row.received)
    config = step.config.attachments
    complete = step.now_received == row.size
    changed = replace(
        row,
        received=step.now_received,
        state="checking" if complete else "uploading",
        data=_encoded(replace(row.facts, pieces=step.pieces)),
        expires=tx.now + (checking_for(config) if complete else config.upload_ttl),
    )
    _write(ledger, changed)
    if complete:  # else a look at the time before finds when to look next
        ledger.schedule(LOOK, tx.now + checking_for(config), data=row.id)
    return changed


def _settle(tx: Transaction, step: _Step) -> FileRow | None:
    """What was found in a file that was being looked at. None if it has gone meanwhile, or another node was faster."""
    ledger, found = Ledger(tx, step.config), step.examined
    row = known(tx, (step.id,)).get(step.id)
    if row is None or row.state != "checking" or found is None:
        return None
    if found.refused is not None:
        attaching.charge(ledger, row.owner, -1, -row.size)
        facts = replace(row.facts, pieces=(), reason=found.refused)
        changed = replace(row, state="refused", type=found.type, data=_encoded(facts))
        ttl = REFUSED_TTL
    else:
        attaching.charge(ledger, row.owner, 0, step.size - row.size)
        facts = replace(
            row.facts,
            pieces=(),
            width=found.width,
            height=found.height,
            duration=found.duration,
            thumbnails=step.pictures,
        )
        changed = replace(
            row,
            state="ready",
            name=found.name,
            type=found.type,
            size=step.size,
            received=step.size,
            data=_encoded(facts),
        )
        ttl = step.config.attachments.unused_ttl
    changed = replace(changed, expires=tx.now + ttl)
    _write(ledger, changed)
    ledger.schedule(LOOK, tx.now + ttl, data=row.id)
    return changed


def _look(ledger: Ledger, item: Item, dropped: bool) -> None:
    """A file's time has come, or had when this was put on the agenda."""
    row = known(ledger.tx, (item.read(str),)).get(item.read(str))
    if row is None or row.expires is None:
        return
    if row.state == "gone":
        if dropped:
            ledger.execute(files.delete().where(files.c.id == row.id))
        else:
            ledger.schedule(LOOK, ledger.now + SLACK, data=row.id)
    elif row.expires > ledger.now:
        ledger.schedule(LOOK, row.expires, data=row.id)
    elif row.state == "ready" and attaching.used(ledger, row.id):
        ledger.execute(files.update().where(files.c.id == row.id).values(expires=None))
    else:
        attaching.discard(ledger, row)


async def _prepare(chat: Chat, item: Item) -> bool:
    """Do what it takes beside the database; whether the bytes are deleted."""
    return chat.files is not None and await chat.files.look(item.read(str))


HANDLERS = (Handler(LOOK, _look, _prepare, lease=300.0, patience=float("inf")),)

ADVANCE: Action[_Step, FileRow] = each("files.advance", _advance)
SETTLE: Action[_Step, FileRow | None] = each("files.settle", _settle)


class _Whole(Struct, frozen=True):
    """A file that has come whole, in one request."""

    config: Config
    owner: str
    name: str
    size: int


def _take(tx: Transaction, whole: _Whole) -> FileRow:
    ledger = Ledger(tx, whole.config)
    return begin(ledger, whole.owner, whole.name, whole.size, whole=checking_for(whole.config.attachments))


TAKE: Action[_Whole, FileRow] = each("files.take", _take)


class _Begun(Struct, frozen=True):
    config: Config
    owner: str
    name: str
    size: int
    metadata: str


def _begin(tx: Transaction, begun: _Begun) -> FileRow:
    ledger = Ledger(tx, begun.config)
    return begin(ledger, begun.owner, begun.name, begun.size, metadata=begun.metadata)


BEGIN: Action[_Begun, FileRow] = each("files.begin", _begin)


def _secret(tx: Transaction, made: str) -> str:
    bulk.insert(tx, meta, ("name", "value"), [(SECRET, made)], ignore=True)
    found: str = tx.execute(sa.select(meta.c.value).where(meta.c.name == SECRET)).scalar_one()
    return found


KEEP_SECRET: Action[str, str] = each("files.secret", _secret)


def checking_for(config: AttachmentsConfig) -> float:
    """Seconds after which a file that is being looked at is another node's."""
    return config.image_timeout + config.scan_timeout + SLACK


def folder(id: str) -> str:
    """Where the bytes of a file are, and its thumbnails."""
    return f"files/{id[:2]}/{id}"


class Files:
    """Takes, examines, serves and drops the bytes of files."""

    def __init__(self, chat: Chat, blobs: Blobs, examine: Examine | None = None) -> None:
        self.blobs = blobs
        self.signer = Signer(secrets.token_bytes(32))  # until `start`
        self._chat = chat
        self._examine = examine or Examiner(chat.config.attachments.image_workers)
        self._room = asyncio.Semaphore(LOOKERS * chat.config.attachments.image_workers)
        self._checking: dict[str, asyncio.Task[None]] = {}
        self.scan_file: ScanFile | None = None
        """The application's hook."""

    async def start(self) -> None:
        await self.blobs.start()
        self.signer = Signer(await self._read_secret())

    async def stop(self) -> None:
        for task in list(self._checking.values()):
            task.cancel()
        if self._checking:
            await asyncio.wait(list(self._checking.values()))
        await self.blobs.stop()

    async def _read_secret(self) -> bytes:
        """All nodes must have the same."""
        config = self._chat.config
        given = config.attachments.signing_secret or config.auth.hmac_secret
        if given is not None:
            return given.get_secret_value().encode()
        return (await self._chat.store.write(KEEP_SECRET, secrets.token_urlsafe(32), "files")).encode()

    # --- coming in ------------------------------------------------------------------------------------------------

    async def begin(self, actor: Actor, name: str, size: int, metadata: str = "") -> FileRow:
        """A new upload. Raises what `files.create` raises."""
        begun = _Begun(self._chat.config, actor.user, name, size, metadata)
        return await self._chat.store.write(BEGIN, begun, actor.user)

    async def upload(self, actor: Actor, id: str) -> FileRow:
        """One's own upload, in whatever state. Raises NOT_FOUND, in the same words for others'."""
        row = await self._chat.read(lambda view: row_of(view, id))
        if row is None or row.state == "gone" or row.owner != actor.user:
            raise no_such_file()
        if row.state == "uploading" and row.expires is not None and row.expires <= self._chat.clock.now():
            raise no_such_file()
        return row

    async def receive(
        self,
        row: FileRow,
        offset: int,
        chunks: AsyncIterator[bytes],
        checksum: Checksum | None = None,
    ) -> int:
        """Take what comes of an upload from `offset` on; how far it is then. Returns when a complete file has been
        looked at.

        Raises UPLOAD_CONFLICT for another offset than the upload's, FILE_REFUSED for what was found in it, and what
        `attachments.uploads.receive` raises.
        """
        if row.received != offset or row.state == "refused":
            raise conflict(row.received)
        upload = Upload(row.id, row.size, row.received, row.facts.pieces)
        if row.state == "uploading":
            upload = await receive(self.blobs, upload, chunks, self._keep, checksum)
        if upload.complete:
            await self._ready(row.id)
        return upload.received

    async def _keep(self, before: Upload, now: Upload) -> None:
        step = _Step(self._chat.config, before.id, before.received, now.pieces, now.received)
        await self._chat.store.write(ADVANCE, step, before.id)

    async def take(self, actor: Actor, name: str, path: Path, size: int) -> FileRow:
        """A whole file, on this machine's disk. Raises what `files.create` raises, and FILE_REFUSED."""
        whole = _Whole(self._chat.config, actor.user, name, size)
        row = await self._chat.store.write(TAKE, whole, actor.user)
        await self._check(row, path)
        return await self._ready(row.id)

    async def _ready(self, id: str) -> FileRow:
        """The file, when it has been looked at. Raises FILE_REFUSED."""
        await self.check(id)
        row = await self._chat.read(lambda view: row_of(view, id))
        if row is None or row.state == "gone":
            raise no_such_file()
        if row.state == "refused":
            raise HubbubError(ErrorCode.FILE_REFUSED, row.facts.reason)
        return row

    async def discard(self, actor: Actor, id: str) -> None:
        """As `files.delete`."""
        await self._chat.call("files.delete", as_user=actor.user or None, file=id)

    # --- looking at it --------------------------------------------------------------------------------------------

    async def check(self, id: str) -> None:
        """Look at a file that has come whole, unless that was done. It goes on if nobody waits any more."""
        task = self._checking.get(id)
        if task is None:
            task = self._checking[id] = asyncio.create_task(self._assemble(id))
            task.add_done_callback(lambda _: self._checking.pop(id, None))
        await asyncio.shield(task)

    async def _assemble(self, id: str) -> None:
        row = await self._chat.read(lambda view: row_of(view, id))
        if row is None or row.state != "checking" or not row.facts.pieces:
            return
        async with self._room, _scratch() as folder:
            path = folder / "file"
            for piece in row.facts.pieces:
                async for chunk in await self.blobs.open(piece.key):
                    await asyncio.to_thread(_append, path, chunk)
            await self._check(row, path)
        await self.blobs.drop(folder_of(id))

    async def _check(self, row: FileRow, path: Path) -> None:
        """Look at what is at `path`, keep it, and settle what it is."""
        found = await self._examine(path, row.name, self._chat.config.attachments)
        try:
            await self._settle(row, found.replaced or path, found)
        finally:
            if found.replaced is not None:
                await asyncio.to_thread(found.replaced.unlink, missing_ok=True)

    async def _settle(self, row: FileRow, kept: Path, found: Examined) -> None:
        """Keep what is at `kept`, unless it is refused, and write down what was found."""
        config = self._chat.config
        if found.refused is None and (why := _unwanted(found.type, config.attachments)):
            found = msgspec.structs.replace(found, refused=why)
        size = (await asyncio.to_thread(kept.stat)).st_size
        if found.refused is None and self.scan_file is not None:
            asked = ScannedFile(kept, row.id, found.name, found.type, size, row.owner)
            found = msgspec.structs.replace(
                found, refused=await scan(self.scan_file, asked, config.attachments)
            )
        pictures: tuple[Picture, ...] = ()
        if found.refused is None:
            place = folder(row.id)
            await self.blobs.put(f"{place}/content", kept)
            for number, each in enumerate(found.thumbnails):
                await self.blobs.put(f"{place}/thumbnails/{number}", each.bytes)
            pictures = tuple(
                Picture(each.width, each.height, each.type, len(each.bytes)) for each in found.thumbnails
            )
        step = _Step(config, row.id, examined=found, pictures=pictures, size=size)
        if await self._chat.store.write(SETTLE, step, row.id) is None:
            await self._tidy(row.id)

    async def _tidy(self, id: str) -> None:
        """The file was deleted while it was looked at: what was kept meanwhile may have come too late to be dropped."""
        row = await self._chat.read(lambda view: row_of(view, id))
        if row is None or row.state == "gone":
            await self.blobs.drop(folder(id))

    # --- serving --------------------------------------------------------------------------------------------------

    async def open(self, id: str, variant: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of a file that somebody may read, from `start` to before `end`."""
        return await self.blobs.open(f"{folder(id)}/{variant}", start, end)

    # --- going ----------------------------------------------------------------------------------------------------

    async def look(self, id: str) -> bool:
        """For the agenda: delete the bytes of what is gone (True), and look at what another node should have."""
        row = await self._chat.read(lambda view: row_of(view, id))
        if row is None:
            return False
        if row.state == "gone":
            await self.blobs.drop(folder_of(id))
            await self.blobs.drop(folder(id))
            return True
        if row.state == "checking" and row.expires is not None and row.expires <= self._chat.clock.now():
            await self.check(id)
        return False


def _unwanted(type: str, config: AttachmentsConfig) -> str | None:
    """Why files of a type are not taken."""
    if matches(type, config.refused_types):
        return f"files of the type {type} are not taken (attachments.refused_types)"
    if not matches(type, config.types):
        return f"files of the type {type} are not taken (attachments.types)"
    return None


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


@contextlib.asynccontextmanager
async def _scratch() -> AsyncIterator[Path]:
    """A folder for one file, on this machine's disk (`TMPDIR`)."""
    folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="hubbub-")
    try:
        yield Path(folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _encoded(facts: attaching.Facts) -> str:
    return msgspec.json.encode(facts).decode()


def _write(ledger: Ledger, row: FileRow) -> None:
    values: dict[str, Any] = {**msgspec.structs.asdict(row), "changed": ledger.tx.stamp}
    del values["id"]
    ledger.execute(files.update().where(files.c.id == row.id).values(values))
