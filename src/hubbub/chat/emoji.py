"""Custom emoji: a name, and the image that clients show for `:name:` in texts and reactions."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat import attaching, catalogue, limits
from hubbub.chat.kinds.addresses import address
from hubbub.chat.kinds.base import wrong
from hubbub.chat.kinds.file import FileId
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.operations import Nothing, read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.program_events import EmojiChanged
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.tables import emoji, files

EmojiName = Annotated[str, Meta(pattern=r"^[a-z0-9_+-]{1,64}$(?!\n)", examples=["party-parrot"])]


class AddEmoji(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One of: the id of an image that one has uploaded (`file`), an https URL, or another emoji's name (`alias`)."""

    name: EmojiName
    file: FileId | None = None
    url: Annotated[str, Meta(examples=["https://example.org/parrot.gif"])] | None = None
    alias: EmojiName | None = None


class ByEmoji(Struct, frozen=True, forbid_unknown_fields=True):
    """One emoji."""

    name: EmojiName


class ListEmoji(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A page of all custom emoji."""

    limit: PageLimit | None = None
    cursor: After | None = None


class Emoji(Struct, frozen=True, omit_defaults=True):
    """An emoji has a `file` (`files.url` gives where it is), a `url`, or is what `alias` is. `by` is who has added it,
    absent for the server."""

    name: str
    created: float
    file: str | None = None
    url: str | None = None
    alias: str | None = None
    by: str | None = None


class EmojiPage(Struct, frozen=True, omit_defaults=True):
    """Emoji by name. `next` is absent on the last page."""

    emoji: tuple[Emoji, ...]
    next: str | None = None


_EMOJI = tuple(emoji.c[name] for name in Emoji.__struct_fields__)
_THERE = emoji.c.removed.is_(False)


@write("emoji.add", "PUT", "/emoji/{name}")
def add(ledger: Ledger, actor: Actor, params: AddEmoji) -> Emoji:
    """Add a custom emoji, or give a name another image.

    It is for the server and for who has an office. Everybody may read the file. Raises PERMISSION_DENIED, NOT_FOUND for
    a file that one has not uploaded, and for an alias of nothing, CONFLICT for a file that is not ready,
    VALIDATION_FAILED, and LIMIT_EXCEEDED (`limits.emoji`).
    """
    catalogue.refuse_others(ledger, actor)
    if sum(given is not None for given in (params.file, params.url, params.alias)) != 1:
        raise HubbubError(ErrorCode.VALIDATION_FAILED, "give one of file, url and alias", field="file")
    if params.url is not None and not address(params.url, "url").lower().startswith("https://"):
        raise wrong("url", "not an https URL")
    if params.alias is not None:
        _check_alias(ledger, params.name, params.alias)
    if params.file is not None:
        _take(ledger, actor, params.file)
    old = ledger.execute(sa.select(*_EMOJI, emoji.c.removed).where(emoji.c.name == params.name)).first()
    values = {
        "url": params.url,
        "file": params.file,
        "alias": params.alias,
        "by": actor.user or None,
        "created": ledger.now,
        "removed": False,
        "changed": ledger.tx.stamp,
    }
    if old is None:
        row = (params.name, *values.values())
        bulk.insert(ledger.tx, emoji, ("name", *values), [row], ignore=True)
    else:
        ledger.execute(emoji.update().where(emoji.c.name == params.name).values(values))
    if old is None or old.removed:
        total = ledger.execute(sa.select(sa.func.count()).select_from(emoji).where(_THERE)).scalar() or 0
        limits.check(ledger.config.limits, "emoji", total, "name")
    elif old.file is not None and old.file != params.file:
        attaching.leave(ledger, [old.file])
    ledger.audit(actor, "emoji.add", name=params.name)
    catalogue.changed(ledger, EmojiChanged(params.name))
    found = _find(ledger, params.name)
    assert found is not None
    return found


def _check_alias(ledger: Ledger, name: str, alias: str) -> None:
    other = _find(ledger, alias)
    if other is None:
        raise HubbubError(ErrorCode.NOT_FOUND, "alias: there is no such emoji", field="alias")
    pointed = sa.select(emoji.c.name).where(emoji.c.alias == name, _THERE)
    if other.alias is not None or alias == name or ledger.execute(pointed).first() is not None:
        raise wrong("alias", "an alias is of an emoji with an image, and has none of its own")


def _take(ledger: Ledger, actor: Actor, id: str) -> None:
    """The file stays as long as the emoji does."""
    row = attaching.known(ledger.tx, [id]).get(id)
    if row is None or row.state == "gone" or (actor.user and row.owner != actor.user):
        raise attaching.no_such_file()
    if row.state == "refused":
        raise HubbubError(ErrorCode.FILE_REFUSED, row.facts.reason, field="file")
    if row.state != "ready":
        raise HubbubError(ErrorCode.CONFLICT, "file: it is not ready yet", field="file")
    if not row.type.startswith("image/"):
        raise wrong("file", "not an image")
    ledger.execute(files.update().where(files.c.id == id).values(expires=None, changed=ledger.tx.stamp))


@write("emoji.remove", "DELETE", "/emoji/{name}")
def remove(ledger: Ledger, actor: Actor, params: ByEmoji) -> Nothing:
    """Take a custom emoji away, with its aliases. Raises PERMISSION_DENIED and NOT_FOUND."""
    catalogue.refuse_others(ledger, actor)
    found = _find(ledger, params.name)
    if found is None:
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no such emoji", field="name")
    of_alias = sa.select(emoji.c.name).where(emoji.c.alias == params.name, _THERE)
    names = [params.name, *sorted(ledger.execute(of_alias).scalars())]
    ledger.execute(
        emoji.update()
        .where(emoji.c.name.in_(names))
        .values(removed=True, file=None, url=None, alias=None, changed=ledger.tx.stamp)
    )
    if found.file is not None:
        attaching.leave(ledger, [found.file])
    ledger.audit(actor, "emoji.remove", name=params.name)
    for name in names:
        catalogue.changed(ledger, EmojiChanged(name, removed=True))
    return Nothing()


@read("emoji.list", "GET", "/emoji")
def page(view: View, actor: Actor, params: ListEmoji) -> EmojiPage:
    """All custom emoji, by name."""
    size = page_size(view.config, params.limit)
    query = sa.select(*_EMOJI).where(_THERE).order_by(emoji.c.name).limit(size + 1)
    if params.cursor is not None:
        query = query.where(emoji.c.name > read_cursor(params.cursor, tuple[str])[0])
    found = [Emoji(*row) for row in view.execute(query)]
    more = len(found) > size
    found = found[:size]
    return EmojiPage(tuple(found), cursor(found[-1].name) if more else None)


def _find(view: View, name: str) -> Emoji | None:
    row = view.execute(sa.select(*_EMOJI).where(emoji.c.name == name, _THERE)).first()
    return None if row is None else Emoji(*row)


OPERATIONS = (add, remove, page)
