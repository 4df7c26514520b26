"""The rules of moderation: drafted, tried, published and rolled back; and the block lists that they name.

One set of rules is live on all nodes, and one may be a draft. What was live is kept: every version can be read, and be
live again. Block lists take effect as soon as they are changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat import limits
from hubbub.chat.judging import MODERATION, lists_of
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.operations import Caller, NoParams, Nothing, read, run
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.standing import require_office
from hubbub.errors import ErrorCode, HubbubError
from hubbub.moderation import words
from hubbub.moderation.judge import Judge
from hubbub.moderation.rules import Blocklist, ListName, Matches, Rule
from hubbub.storage.base import Logged, Transaction, each
from hubbub.storage.tables import blocklists, meta, rulesets

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

R = TypeVar("R")
State = Literal["draft", "live", "retired"]
Version = Annotated[int, Meta(ge=1, le=2**53)]
Word = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=words.LENGTH,
        description="A word or a phrase; `*` before or after it lets it be found within others.",
    ),
]
Words = Annotated[tuple[Word, ...], Meta(max_length=1_000_000)]
_rules = msgspec.json.Decoder(tuple[Rule, ...]).decode
_words = msgspec.json.Decoder(tuple[str, ...]).decode


class Ruleset(Struct, frozen=True, omit_defaults=True):
    """A version of the rules. `version` 0 is none at all. A draft that another one has replaced is `retired`, and was
    never live: it has no `live_since`."""

    version: int
    state: State
    rules: tuple[Rule, ...]
    note: str = ""
    by: str | None = None
    created: float = 0.0
    live_since: float | None = None


class GetRules(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A `version`, or what is `live` or the `draft`."""

    version: Version | None = None
    state: Literal["live", "draft"] = "live"


class ListVersions(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A page of versions."""

    limit: PageLimit | None = None
    cursor: After | None = None


class RulesetPage(Struct, frozen=True, omit_defaults=True):
    """Versions, the newest first. `next` is absent on the last page."""

    versions: tuple[Ruleset, ...]
    next: str | None = None


class DraftRules(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the draft is to be from now on."""

    rules: tuple[Rule, ...]
    note: Annotated[str, Meta(max_length=1_000)] = ""


class PublishRules(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`version`: refuse it if the draft is another one by now."""

    version: Version | None = None


class RollBack(Struct, frozen=True, forbid_unknown_fields=True):
    """The version that is to be live again."""

    version: Version


class ByList(Struct, frozen=True, forbid_unknown_fields=True):
    """One block list."""

    list: ListName


class PutList(Struct, frozen=True, forbid_unknown_fields=True):
    """All words of a list."""

    list: ListName
    words: Words


class ChangeList(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Words that come and words that go."""

    list: ListName
    add: Words = ()
    remove: Words = ()


class WordList(Struct, frozen=True):
    """A block list. `count` is how many words it has."""

    name: str
    count: int
    updated: float
    words: tuple[str, ...] = ()


class WordLists(Struct, frozen=True):
    """All block lists, by name, without their words."""

    lists: tuple[WordList, ...]


COLUMNS = tuple(rulesets.c[name] for name in ("id", "state", "data", "note", "by", "created", "live_since"))


# --- rules --------------------------------------------------------------------------------------------------------


@read("moderation.rules.get", "GET", "/moderation/rules")
def get_rules(view: View, actor: Actor, params: GetRules) -> Ruleset:
    """The live rules, the draft, or an earlier version.

    It is for moderators and admins. Raises PERMISSION_DENIED and NOT_FOUND.
    """
    require_office(view, actor)
    wanted = (
        rulesets.c.id == params.version if params.version is not None else rulesets.c.state == params.state
    )
    row = view.execute(sa.select(*COLUMNS).where(wanted)).first()
    if row is not None:
        return _ruleset(row)
    if params.version is None and params.state == "live":
        return Ruleset(0, "live", ())
    raise HubbubError(ErrorCode.NOT_FOUND, "there are no such rules", field="version")


@read("moderation.rules.list", "GET", "/moderation/rules/versions")
def list_rules(view: View, actor: Actor, params: ListVersions) -> RulesetPage:
    """All versions of the rules, the newest first. Raises PERMISSION_DENIED."""
    require_office(view, actor)
    size = page_size(view.config, params.limit)
    query = sa.select(*COLUMNS).order_by(rulesets.c.id.desc()).limit(size + 1)
    if params.cursor is not None:
        query = query.where(rulesets.c.id < read_cursor(params.cursor, tuple[int])[0])
    found = [_ruleset(row) for row in view.execute(query)]
    more = len(found) > size
    found = found[:size]
    return RulesetPage(tuple(found), cursor(found[-1].version) if more else None)


@run("moderation.rules.draft", "PUT", "/moderation/rules/draft")
async def draft(chat: Chat, caller: Caller, params: DraftRules) -> Ruleset:
    """Write the draft: a set of rules that judges nobody before it is published.

    It is for admins. Raises PERMISSION_DENIED, LIMIT_EXCEEDED (`limits.rules`, `patterns`), and VALIDATION_FAILED for
    what no rule can mean: a pattern that RE2 does not take, a name that comes twice, a mask without anything to be
    found.
    """
    await chat.read(lambda view: require_office(view, caller.actor, "admin"))
    _check(chat, params.rules)
    await ready(chat, 0, params.rules, {})
    return await _write(chat, partial(_draft, actor=caller.actor, params=params))


def _draft(ledger: Ledger, actor: Actor, params: DraftRules) -> Ruleset:
    _lock(ledger)
    values = {
        "state": "draft",
        "note": params.note,
        "data": msgspec.json.encode(params.rules).decode(),
        "by": actor.user or None,
        "created": ledger.now,
        "changed": ledger.tx.stamp,
    }
    drafted = rulesets.update().where(rulesets.c.state == "draft")
    ledger.execute(drafted.values(state="retired", changed=ledger.tx.stamp))  # versions are never given twice
    version = ledger.execute(rulesets.insert().returning(rulesets.c.id), values).scalar_one()
    ledger.audit(actor, "moderation.rules.draft", version=version, rules=len(params.rules), note=params.note)
    return Ruleset(version, "draft", params.rules, params.note, actor.user or None, ledger.now)


@run("moderation.rules.publish", "POST", "/moderation/rules/publish")
async def publish(chat: Chat, caller: Caller, params: PublishRules) -> Ruleset:
    """Make the draft live, on all nodes; what was live is kept.

    It is for admins. Raises PERMISSION_DENIED, NOT_FOUND without a draft, CONFLICT if it is another one, and
    VALIDATION_FAILED if it names a block list that is not there.
    """
    found, lists = await chat.read(partial(_to_publish, actor=caller.actor, params=params))
    for place, rule in enumerate(found.rules):
        for at, condition in enumerate(rule.when):
            for name in condition.lists if isinstance(condition, Blocklist) else ():
                if name not in lists:
                    field = f"rules[{place}].when[{at}].lists"
                    raise HubbubError(
                        ErrorCode.VALIDATION_FAILED, f"{field}: there is no block list {name}", field=field
                    )
    await ready(chat, found.version, found.rules, lists)
    return await _write(chat, partial(_publish, actor=caller.actor, found=found), live=True)


def _to_publish(view: View, actor: Actor, params: PublishRules) -> tuple[Ruleset, dict[str, tuple[str, ...]]]:
    require_office(view, actor, "admin")
    row = view.execute(sa.select(*COLUMNS).where(rulesets.c.state == "draft")).first()
    if row is None:
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no draft", field="version")
    if params.version not in (None, row.id):
        raise HubbubError(ErrorCode.CONFLICT, f"the draft is version {row.id}", field="version")
    return _ruleset(row), lists_of(view)


def _publish(ledger: Ledger, actor: Actor, found: Ruleset) -> Ruleset:
    _lock(ledger)
    before = _retire(ledger)
    drafted = rulesets.update().where(rulesets.c.id == found.version, rulesets.c.state == "draft")
    values = {"state": "live", "live_since": ledger.now, "changed": ledger.tx.stamp}
    if not ledger.execute(drafted.values(values)).rowcount:
        raise HubbubError(ErrorCode.CONFLICT, "the draft is another one by now", field="version")
    ledger.audit(actor, "moderation.rules.publish", version=found.version, before=before, note=found.note)
    return msgspec.structs.replace(found, state="live", live_since=ledger.now)


@run("moderation.rules.rollback", "POST", "/moderation/rules/rollback")
async def rollback(chat: Chat, caller: Caller, params: RollBack) -> Ruleset:
    """Make an earlier version live again, as a new one.

    It is for admins. Raises PERMISSION_DENIED, NOT_FOUND, and CONFLICT for what was never live.
    """
    return await _write(chat, partial(_roll_back, actor=caller.actor, params=params), live=True)


def _roll_back(ledger: Ledger, actor: Actor, params: RollBack) -> Ruleset:
    require_office(ledger, actor, "admin")
    _lock(ledger)
    row = ledger.execute(sa.select(*COLUMNS).where(rulesets.c.id == params.version)).first()
    if row is None:
        raise HubbubError(ErrorCode.NOT_FOUND, "there are no such rules", field="version")
    if row.state != "retired" or row.live_since is None:
        was = "was never live" if row.live_since is None else "is live"
        raise HubbubError(ErrorCode.CONFLICT, f"version {row.id} {was}", field="version")
    before = _retire(ledger)
    values = {
        "state": "live",
        "note": row.note,
        "data": row.data,
        "by": actor.user or None,
        "created": ledger.now,
        "live_since": ledger.now,
        "changed": ledger.tx.stamp,
    }
    version = ledger.execute(rulesets.insert().returning(rulesets.c.id), values).scalar_one()
    ledger.audit(actor, "moderation.rules.rollback", version=version, to=row.id, before=before)
    return Ruleset(version, "live", _rules(row.data), row.note, actor.user or None, ledger.now, ledger.now)


def _retire(ledger: Ledger) -> int | None:
    """Whatever is live, is so no more; its version."""
    live = rulesets.c.state == "live"
    version: int | None = ledger.execute(sa.select(rulesets.c.id).where(live)).scalar()
    ledger.execute(rulesets.update().where(live).values(state="retired", changed=ledger.tx.stamp))
    return version


def _ruleset(row: sa.Row[*tuple[object, ...]]) -> Ruleset:
    version, state, data, note, by, created, live_since = row
    return Ruleset(version, state, _rules(data), note, by, created, live_since)  # type: ignore[arg-type]


def _check(chat: Chat, rules: tuple[Rule, ...]) -> None:
    allowed = chat.config.limits
    limits.check(allowed, "rules", len(rules), "rules")
    names: set[str] = set()
    patterns = 0
    for place, rule in enumerate(rules):
        if rule.name in names:
            field = f"rules[{place}].name"
            raise HubbubError(ErrorCode.VALIDATION_FAILED, f"{field}: there are two of it", field=field)
        names.add(rule.name)
        for at, condition in enumerate(rule.when):
            if isinstance(condition, Matches):
                patterns += 1
                field = f"rules[{place}].when[{at}].pattern"
                limits.check(allowed, "pattern_length", len(condition.pattern), field)
    limits.check(allowed, "patterns", patterns, "rules")


async def ready(
    chat: Chat, version: int, rules: tuple[Rule, ...], lists: dict[str, tuple[str, ...]]
) -> Judge:
    """The rules made ready, beside the event loop. Raises VALIDATION_FAILED."""
    window = chat.config.moderation.flood_window
    return await asyncio.to_thread(Judge, version, rules, lists, window=window)


# --- block lists --------------------------------------------------------------------------------------------------


@read("moderation.blocklists.list", "GET", "/moderation/blocklists")
def list_lists(view: View, actor: Actor, params: NoParams) -> WordLists:
    """All block lists, without their words. It is for moderators and admins. Raises PERMISSION_DENIED."""
    require_office(view, actor)
    query = sa.select(blocklists.c.name, blocklists.c.words, blocklists.c.updated).order_by(blocklists.c.name)
    return WordLists(
        tuple(WordList(row.name, len(_words(row.words)), row.updated) for row in view.execute(query))
    )


@read("moderation.blocklists.get", "GET", "/moderation/blocklists/{list}")
def get_list(view: View, actor: Actor, params: ByList) -> WordList:
    """A block list with its words. It is for moderators and admins. Raises PERMISSION_DENIED and NOT_FOUND."""
    require_office(view, actor)
    row = view.execute(sa.select(blocklists).where(blocklists.c.name == params.list)).first()
    if row is None:
        raise _no_list()
    found = _words(row.words)
    return WordList(row.name, len(found), row.updated, found)


@run("moderation.blocklists.put", "PUT", "/moderation/blocklists/{list}")
async def put_list(chat: Chat, caller: Caller, params: PutList) -> WordList:
    """Make a block list, or give one other words. Live rules that name it take them at once.

    It is for admins. Raises PERMISSION_DENIED, VALIDATION_FAILED for what is no word, and LIMIT_EXCEEDED
    (`limits.blocklist_words`).
    """
    await chat.read(lambda view: require_office(view, caller.actor, "admin"))
    given = await asyncio.to_thread(_cleaned, params.words, "words")
    return await _write(chat, partial(_change, actor=caller.actor, name=params.list, words=given), live=True)


@run("moderation.blocklists.change", "PATCH", "/moderation/blocklists/{list}")
async def change_list(chat: Chat, caller: Caller, params: ChangeList) -> WordList:
    """Add words to a block list and take others out. Live rules that name it take them at once.

    It is for admins. Raises PERMISSION_DENIED, NOT_FOUND, VALIDATION_FAILED and LIMIT_EXCEEDED
    (`limits.blocklist_words`).
    """
    await chat.read(lambda view: require_office(view, caller.actor, "admin"))
    add = await asyncio.to_thread(_cleaned, params.add, "add")
    remove = await asyncio.to_thread(_cleaned, params.remove, "remove")
    return await _write(
        chat, partial(_change, actor=caller.actor, name=params.list, add=add, remove=remove), live=True
    )


@run("moderation.blocklists.delete", "DELETE", "/moderation/blocklists/{list}")
async def delete_list(chat: Chat, caller: Caller, params: ByList) -> Nothing:
    """Delete a block list.

    It is for admins. Raises PERMISSION_DENIED, NOT_FOUND, and CONFLICT if live rules name it.
    """
    return await _write(chat, partial(_delete, actor=caller.actor, name=params.list), live=True)


def _change(
    ledger: Ledger,
    actor: Actor,
    name: str,
    words: dict[str, None] | None = None,
    add: dict[str, None] | None = None,
    remove: dict[str, None] | None = None,
) -> WordList:
    require_office(ledger, actor, "admin")
    _lock(ledger)
    lists = lists_of(ledger)
    if words is None and name not in lists:
        raise _no_list()
    before = dict.fromkeys(lists.get(name, ()))
    after = (
        words if words is not None else {w: None for w in (before | (add or {})) if w not in (remove or {})}
    )
    total = sum(map(len, lists.values())) - len(before) + len(after)
    limits.check(ledger.config.limits, "blocklist_words", total, "words" if words is not None else "add")
    kept = tuple(after)
    values = {
        "words": msgspec.json.encode(kept).decode(),
        "updated": ledger.now,
        "changed": ledger.tx.stamp,
    }
    if name in lists:
        ledger.execute(blocklists.update().where(blocklists.c.name == name).values(values))
    else:
        ledger.execute(blocklists.insert(), {"name": name, **values})
    ledger.audit(
        actor,
        "moderation.blocklists.put" if words is not None else "moderation.blocklists.change",
        list=name,
        words=len(kept),
        added=len(after.keys() - before.keys()),
        removed=len(before.keys() - after.keys()),
    )
    return WordList(name, len(kept), ledger.now)


def _delete(ledger: Ledger, actor: Actor, name: str) -> Nothing:
    require_office(ledger, actor, "admin")
    _lock(ledger)
    live = ledger.execute(sa.select(rulesets.c.data).where(rulesets.c.state == "live")).scalar()
    for rule in _rules(live) if live is not None else ():
        if any(isinstance(each, Blocklist) and name in each.lists for each in rule.when):
            raise HubbubError(ErrorCode.CONFLICT, f"the live rule {rule.name} names it", field="list")
    if not ledger.execute(blocklists.delete().where(blocklists.c.name == name)).rowcount:
        raise _no_list()
    ledger.audit(actor, "moderation.blocklists.delete", list=name)
    return Nothing()


def _cleaned(given: tuple[str, ...], field: str) -> dict[str, None]:
    kept: dict[str, None] = {}
    for place, word in enumerate(given):
        try:
            kept[words.check(word)] = None
        except ValueError as error:
            at = f"{field}[{place}]"
            raise HubbubError(ErrorCode.VALIDATION_FAILED, f"{at}: {error}", field=at) from None
    return kept


def _no_list() -> HubbubError:
    return HubbubError(ErrorCode.NOT_FOUND, "there is no such block list", field="list")


# --- writing ------------------------------------------------------------------------------------------------------


def _lock(ledger: Ledger) -> None:
    """One change at a time, on all nodes."""
    ledger.execute(sa.select(meta.c.value).where(meta.c.name == "epoch").with_for_update())


async def _write(chat: Chat, function: Callable[[Ledger], R], *, live: bool = False) -> R:
    """In one transaction. If `live`, this node judges by it when this returns, and the others are told."""

    def act(tx: Transaction, item: Callable[[Ledger], R]) -> R:
        result = item(Ledger(tx, chat.config, chat))
        if live:
            tx.outbox.append(Logged(MODERATION, tx.stamp, MODERATION, b"", None, tx.now))
        return result

    result = await chat.store.write(each("moderation", act), function, MODERATION)
    if live:
        await chat.moderation.load()
    return result


OPERATIONS = (
    get_rules,
    list_rules,
    draft,
    publish,
    rollback,
    list_lists,
    get_list,
    put_list,
    change_list,
    delete_list,
)
