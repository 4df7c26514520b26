"""Files of users: begun, listed, deleted, and their URLs. Their bytes come by HTTP (`api/uploads.py`)."""

from __future__ import annotations

import math
import secrets
from typing import TYPE_CHECKING, Annotated, Literal, cast

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.attachments.signing import CONTENT, thumbnail
from hubbub.chat.attaching import (
    LOOK,
    ROW,
    Facts,
    FileRow,
    Reviewed,
    charge,
    discard,
    known,
    no_such_file,
    readable,
    reviewed,
    row_of,
    used,
)
from hubbub.chat.kinds.file import FileId
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.operations import Caller, Nothing, read, run, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.config import Config
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Action, Transaction, each
from hubbub.storage.tables import files

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

State = Literal["uploading", "checking", "ready", "refused"]
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}") | {0: None}


class Thumbnail(Struct, frozen=True):
    """A smaller picture of an image, at its place in the list. Sides in pixels."""

    width: int
    height: int
    type: str


class File(Struct, frozen=True, omit_defaults=True):
    """A file. `type` is what was found in it, `size` its bytes; `received` are those that have come while it is
    `uploading`. It is `checking` while it is being looked at, and `refused` for the `reason` that is given. `owner` is
    absent for the server's. `expires` is when it goes unless a message shows it by then."""

    id: str
    name: str
    type: str
    size: int
    state: State
    created: float
    owner: str | None = None
    received: int | None = None
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    thumbnails: tuple[Thumbnail, ...] = ()
    reason: str | None = None
    expires: float | None = None


class CreateFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A file of `size` bytes that is about to be uploaded."""

    name: Annotated[str, Meta(min_length=1, description="At most `attachments.name_length` code points.")]
    size: Annotated[int, Meta(ge=1, le=2**53)]


class Created(Struct, frozen=True):
    """The file, and the path to which its bytes are sent: with `PATCH`, as tus 1.0.0 has it."""

    file: File
    upload: str


class ByFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One file."""

    file: FileId


class ListFiles(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A page of one's own files, the newest first."""

    limit: PageLimit | None = None
    cursor: After | None = None


class FilePage(Struct, frozen=True, omit_defaults=True):
    """Files, the newest first, and what all of them take of the quota. `next` is absent on the last page."""

    files: tuple[File, ...]
    next: str | None = None


class FileUrl(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Of the file itself, or of a `thumbnail` by its place. `download`: browsers are to save it."""

    file: FileId
    thumbnail: Annotated[int, Meta(ge=0, le=100)] | None = None
    download: bool = False


class SignedUrl(Struct, frozen=True):
    """Where the file can be read without a token, until `expires` (Unix seconds). Whoever has it can. It is below this
    server."""

    url: str
    expires: float


class SignFiles(Struct, frozen=True, forbid_unknown_fields=True):
    """Many at once, as for a page of messages."""

    files: Annotated[tuple[FileUrl, ...], Meta(min_length=1, max_length=200)]


class SignedUrls(Struct, frozen=True):
    """One for each that was asked for, in order; null for what is not there to be read."""

    urls: tuple[SignedUrl | None, ...]


def file_of(row: FileRow) -> File:
    facts = row.facts
    return File(
        row.id,
        row.name,
        row.type,
        row.size,
        cast(State, row.state),
        row.created,
        row.owner or None,
        row.received if row.state == "uploading" else None,
        facts.width,
        facts.height,
        facts.duration,
        tuple(Thumbnail(each.width, each.height, each.type) for each in facts.thumbnails),
        facts.reason or None,
        row.expires,
    )


def begin(
    ledger: Ledger, owner: str, name: str, size: int, *, metadata: str = "", whole: float | None = None
) -> FileRow:
    """A new file that is to come; or with `whole` that is there and being looked at, for so many seconds at most.

    Raises MESSAGE_TOO_LARGE, VALIDATION_FAILED, LIMIT_EXCEEDED (`attachments.uploads`) and QUOTA_EXCEEDED.
    """
    config = ledger.config.attachments
    if size > config.file_bytes:
        raise HubbubError(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"size: more than attachments.file_bytes = {config.file_bytes}",
            field="size",
        )
    name = name.translate(_SURROGATES).strip()
    if not name or len(name) > config.name_length:
        raise HubbubError(
            ErrorCode.VALIDATION_FAILED,
            f"name: must have 1 to {config.name_length} characters (attachments.name_length)",
            field="name",
        )
    charge(ledger, owner, 1, size)  # this locks what the owner has
    if whole is None and owner:
        query = sa.select(sa.func.count()).where(files.c.owner == owner, files.c.state == "uploading")
        if ledger.execute(query).scalar_one() >= config.uploads:
            raise HubbubError(
                ErrorCode.LIMIT_EXCEEDED,
                f"finish or delete an upload first: attachments.uploads = {config.uploads}",
                field="file",
            )
    state = "uploading" if whole is None else "checking"
    expires = ledger.now + (config.upload_ttl if whole is None else whole)
    data = msgspec.json.encode(Facts(metadata=metadata)).decode()
    received = 0 if whole is None else size
    row = FileRow(secrets.token_hex(16), owner, name, "", size, received, state, data, ledger.now, expires)
    ledger.execute(files.insert(), {**msgspec.structs.asdict(row), "changed": ledger.tx.stamp})
    ledger.schedule(LOOK, expires, data=row.id)
    return row


@write("files.create", "POST", "/files", status=201)
def create(ledger: Ledger, actor: Actor, params: CreateFile) -> Created:
    """Begin an upload.

    Its bytes are then sent to the path that is given, in one piece or many, by any client of the tus protocol or with
    plain PATCH requests. When all have come the file is looked at, and then ready to be sent in a message.

    Raises MESSAGE_TOO_LARGE, QUOTA_EXCEEDED and LIMIT_EXCEEDED.
    """
    _enabled(ledger)
    row = begin(ledger, actor.user, params.name, params.size)
    return Created(file_of(row), f"/v1/uploads/{row.id}")


def _enabled(view: View) -> None:
    if not view.config.attachments.enabled:
        raise HubbubError(ErrorCode.NOT_AVAILABLE, "attachments.enabled is off")


@read("files.get", "GET", "/files/{file}")
def get(view: View, actor: Actor, params: ByFile) -> File:
    """What is known of a file.

    Its owner may ask, and whoever may read a message that shows it. Raises NOT_FOUND.
    """
    row = readable(view, actor, params.file)
    file = file_of(row)
    return file if actor.server or row.owner == actor.user else msgspec.structs.replace(file, expires=None)


@read("files.list", "GET", "/me/files")
def page(view: View, actor: Actor, params: ListFiles) -> FilePage:
    """A page of one's own files, the newest first.

    For the server they are those that it has uploaded itself.
    """
    size = page_size(view.config, params.limit)
    query = sa.select(*ROW).where(files.c.owner == actor.user, files.c.state != "gone")
    if params.cursor is not None:
        query = query.where(
            sa.tuple_(files.c.created, files.c.id) < sa.tuple_(*read_cursor(params.cursor, tuple[float, str]))
        )
    rows = view.execute(query.order_by(files.c.created.desc(), files.c.id.desc()).limit(size + 1)).all()
    found = [FileRow(*row) for row in rows]
    more = len(found) > size
    found = found[:size]
    return FilePage(tuple(map(file_of, found)), cursor(found[-1].created, found[-1].id) if more else None)


@write("files.delete", "DELETE", "/files/{file}")
def delete(ledger: Ledger, actor: Actor, params: ByFile) -> Nothing:
    """Delete one's own file, or give its upload up.

    A file that messages show stays until they are deleted; only the server may take it out of them. Raises NOT_FOUND
    and CONFLICT.
    """
    row = known(ledger.tx, (params.file,)).get(params.file)
    if row is None or row.state == "gone" or not (actor.server or row.owner == actor.user):
        raise no_such_file()
    if not actor.server and used(ledger, row.id):
        raise HubbubError(ErrorCode.CONFLICT, "messages show the file: delete them first", field="file")
    discard(ledger, row)
    if actor.server and row.owner:
        ledger.audit(actor, "files.delete", user=row.owner, file=row.id)
    return Nothing()


@run("files.url", "GET", "/files/{file}/url")
async def url(chat: Chat, caller: Caller, params: FileUrl) -> SignedUrl:
    """Get a URL by which a file can be read for a while, without a token.

    Who has an office gets one for a file of a message, sent or held, in a case that waits and that it may decide; this
    is written down (`files.review`). Raises NOT_FOUND, also for a thumbnail that it has not.
    """
    (found,) = await _sign(chat, caller.actor, (params,))
    if found is None:
        raise no_such_file()
    return found


@run("files.urls", "POST", "/files/urls")
async def urls(chat: Chat, caller: Caller, params: SignFiles) -> SignedUrls:
    """Get the URLs of many files at once, as for a page of messages."""
    return SignedUrls(tuple(await _sign(chat, caller.actor, params.files)))


async def _sign(chat: Chat, actor: Actor, asked: tuple[FileUrl, ...]) -> list[SignedUrl | None]:
    if chat.files is None:
        raise HubbubError(ErrorCode.NOT_AVAILABLE, "attachments.enabled is off")
    signer = chat.files.signer
    expires = math.ceil(chat.clock.now() + chat.config.attachments.url_ttl)

    def look(view: View) -> tuple[list[SignedUrl | None], list[_Review]]:
        signed: list[SignedUrl | None] = []
        reviews: list[_Review] = []
        for wish in asked:
            row, review = _opened(view, actor, wish)
            reviews += [] if review is None else [review]
            path = signer.path(wish.file, _variant(wish), expires, download=wish.download)
            signed.append(None if row is None else SignedUrl(path, expires))
        return signed, reviews

    signed, reviews = await chat.read(look)
    if reviews:  # written down first, or there is no URL
        await chat.store.write(REVIEW, _Reviews(chat.config, actor, tuple(dict.fromkeys(reviews))))
    return signed


def _variant(asked: FileUrl) -> str:
    return CONTENT if asked.thumbnail is None else thumbnail(asked.thumbnail)


def _opened(view: View, actor: Actor, asked: FileUrl) -> tuple[FileRow | None, _Review | None]:
    """The file as it may be read, and for which case if that is why."""
    review = None
    try:
        row = readable(view, actor, asked.file)
    except HubbubError:
        found = row_of(view, asked.file)
        case = None if found is None else reviewed(view, actor, found)
        if found is None or case is None:
            return None, None
        row, review = found, _Review(found.id, found.owner, case)
    there = asked.thumbnail is None or asked.thumbnail < len(row.facts.thumbnails)
    return (row, review) if there and row.state == "ready" else (None, None)


class _Review(Struct, frozen=True):
    """A file that is opened for a case."""

    file: str
    owner: str
    case: Reviewed


class _Reviews(Struct, frozen=True):
    config: Config
    actor: Actor
    files: tuple[_Review, ...]


def _write_down(tx: Transaction, given: _Reviews) -> None:
    ledger = Ledger(tx, given.config)
    for opened in given.files:
        about = opened.case
        ledger.audit(
            given.actor,
            "files.review",
            conversation=about.conversation,
            user=opened.owner or None,
            message=about.message,
            case=about.case,
            file=opened.file,
        )


REVIEW: Action[_Reviews, None] = each("files.review", _write_down)
OPERATIONS = (create, get, page, delete, url, urls)
