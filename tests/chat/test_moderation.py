from __future__ import annotations

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.chat.ruling import RUDE, publish, rule, text
from tests.chat.world import World

from hubbub.chat.judging import LOOK
from hubbub.errors import ErrorCode
from hubbub.storage.tables import audit

pytestmark = pytest.mark.anyio
LONG = {"name": "long", "when": [{"type": "shape", "characters": 5}], "action": "reject"}


async def staff(chat: World) -> None:
    await chat.user("chief", office="admin")
    await chat.user("mo", office="moderator")
    await chat.user("ada")


async def acts(chat: World) -> list[tuple[str, str | None, dict[str, Any]]]:
    query = sa.select(audit.c.act, audit.c.actor, audit.c.data).where(audit.c.act.like("moderation.%"))
    found = await chat.read(lambda view: list(view.execute(query.order_by(audit.c.id)).all()))
    return [(row.act, row.actor, msgspec.json.decode(row.data)) for row in found]


async def refuses(chat: World, said: str) -> bool:
    found = await chat.do("moderation.try", "", text=said)
    return bool(found.action == "reject")


async def test_there_are_no_rules_at_first(chat: World) -> None:
    live = await chat.do("moderation.rules.get", "")
    assert (live.version, live.rules) == (0, ())
    await chat.refused(ErrorCode.NOT_FOUND, "moderation.rules.get", "", state="draft")
    await chat.refused(ErrorCode.NOT_FOUND, "moderation.rules.publish", "")


async def test_a_draft_judges_nobody_before_it_is_published(chat: World) -> None:
    group = await chat.group("ada", "bob")
    draft = await chat.do("moderation.rules.draft", "", rules=[LONG], note="first")
    assert (draft.state, draft.note) == ("draft", "first")
    await chat.do("messages.send", "bob", conversation=group, parts=text("long enough"))
    live = await chat.do("moderation.rules.publish", "", version=draft.version)
    assert (live.version, live.state, live.live_since) == (draft.version, "live", chat.clock.now())
    await chat.refused(
        ErrorCode.REJECTED, "messages.send", "bob", conversation=group, parts=text("long enough")
    )
    assert await chat.do("moderation.rules.get", "") == live


async def test_versions_are_kept_and_can_be_live_again(chat: World) -> None:
    await staff(chat)
    first = await publish(chat, {**LONG})
    second = await publish(chat)
    assert not await refuses(chat, "long enough")
    await chat.refused(ErrorCode.CONFLICT, "moderation.rules.rollback", "chief", version=second)
    await chat.refused(ErrorCode.NOT_FOUND, "moderation.rules.rollback", "chief", version=10**6)
    back = await chat.do("moderation.rules.rollback", "chief", version=first)
    assert back.version > second
    assert await refuses(chat, "long enough")
    versions = (await chat.do("moderation.rules.list", "mo")).versions
    assert [each.version for each in versions] == [back.version, second, first]
    assert [each.state for each in versions] == ["live", "retired", "retired"]
    assert versions[0].rules == versions[2].rules
    newest = await chat.do("moderation.rules.list", "mo", limit=2)
    rest = await chat.do("moderation.rules.list", "mo", limit=2, cursor=newest.next)
    assert (*newest.versions, *rest.versions) == versions
    assert rest.next is None


async def test_a_draft_that_is_another_by_now_is_not_published(chat: World) -> None:
    old = await chat.do("moderation.rules.draft", "", rules=[])
    await chat.do("moderation.rules.draft", "", rules=[LONG])
    await chat.refused(ErrorCode.CONFLICT, "moderation.rules.publish", "", version=old.version, at="version")


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ([{**LONG, "when": []}], "rules[0].when"),
        ([{**LONG, "when": [{"type": "pattern", "pattern": "(a+)+\\1"}]}], "rules[0].when[0].pattern"),
        ([LONG, LONG], "rules[1].name"),
        ([{**LONG, "action": "burn"}], "rules[0].action"),
        ([{**LONG, "action": "mask"}], "rules[0].action"),
        ([{**LONG, "when": [{"type": "witchcraft"}]}], "rules[0].when[0].type"),
        ([{**LONG, "when": [{"type": "link", "deny": ["http://x"]}]}], "rules[0].when[0].deny[0]"),
    ],
)
async def test_what_no_rule_can_mean_is_no_draft(chat: World, rules: list[Any], field: str) -> None:
    await chat.refused(ErrorCode.VALIDATION_FAILED, "moderation.rules.draft", "", rules=rules, at=field)


async def test_limits(database: str) -> None:
    limits = {"rules": 2, "patterns": 1, "pattern_length": 4, "blocklist_words": 3, "samples": 2}
    pattern = {"type": "pattern", "pattern": "abcd"}
    async with World(database, limits=limits) as chat:
        rules = [{"name": f"{n}", "when": [{"type": "link"}], "action": "flag"} for n in range(3)]
        await chat.do("moderation.rules.draft", "", rules=rules[:2])
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "moderation.rules.draft", "", rules=rules)
        one = {**rules[0], "when": [pattern]}
        await chat.do("moderation.rules.draft", "", rules=[one])
        for when in ([pattern, {**pattern, "pattern": "x"}], [{**pattern, "pattern": "abcde"}]):
            await chat.refused(
                ErrorCode.LIMIT_EXCEEDED, "moderation.rules.draft", "", rules=[{**one, "when": when}]
            )
        await chat.do("moderation.blocklists.put", "", list="a", words=["one", "two"])
        await chat.do("moderation.blocklists.put", "", list="b", words=["three"])
        await chat.refused(ErrorCode.LIMIT_EXCEEDED, "moderation.blocklists.change", "", list="b", add=["x"])
        await chat.do("moderation.blocklists.change", "", list="b", add=["four"], remove=["three"])
        sample = {"text": "hi", "expected": "allow"}
        await chat.do("moderation.samples.add", "", test_set="s", samples=[sample] * 2)
        await chat.refused(
            ErrorCode.LIMIT_EXCEEDED, "moderation.samples.add", "", test_set="s", samples=[sample]
        )


async def test_block_lists(chat: World) -> None:
    await staff(chat)
    made = await chat.do("moderation.blocklists.put", "chief", list="rude", words=["b", " a  b ", "b"])
    assert (made.name, made.count) == ("rude", 2)
    changed = await chat.do(
        "moderation.blocklists.change", "chief", list="rude", add=["c"], remove=["b", "x"]
    )
    assert changed.count == 2
    assert (await chat.do("moderation.blocklists.get", "mo", list="rude")).words == ("a b", "c")
    (listed,) = (await chat.do("moderation.blocklists.list", "mo")).lists
    assert (listed.name, listed.count, listed.words) == ("rude", 2, ())
    for operation in ("get", "change", "delete"):
        await chat.refused(ErrorCode.NOT_FOUND, f"moderation.blocklists.{operation}", "chief", list="none")
    for word in ("*", "a*b", " "):
        await chat.refused(
            ErrorCode.VALIDATION_FAILED,
            "moderation.blocklists.put",
            "",
            list="x",
            words=["a", word],
            at="words[1]",
        )
    await chat.do("moderation.blocklists.delete", "chief", list="rude")
    assert (await chat.do("moderation.blocklists.list", "mo")).lists == ()


async def test_live_rules_take_the_words_of_their_lists_at_once(chat: World) -> None:
    await rule(chat, "reject")
    assert not await refuses(chat, "newword")
    await chat.do("moderation.blocklists.change", "", list="rude", add=["newword"])
    assert await refuses(chat, "n3wword")
    await chat.do("moderation.blocklists.put", "", list="rude", words=[])
    assert not await refuses(chat, "newword")
    await chat.refused(ErrorCode.CONFLICT, "moderation.blocklists.delete", "", list="rude")
    await publish(chat)
    await chat.do("moderation.blocklists.delete", "", list="rude")


async def test_a_rule_that_names_no_list_is_not_published(chat: World) -> None:
    await chat.do("moderation.rules.draft", "", rules=[{"name": "a", "when": RUDE, "action": "flag"}])
    await chat.refused(
        ErrorCode.VALIDATION_FAILED, "moderation.rules.publish", "", at="rules[0].when[0].lists"
    )


async def test_offices(chat: World) -> None:
    await staff(chat)
    await publish(chat)
    reading: list[tuple[str, dict[str, Any]]] = [
        ("moderation.rules.get", {}),
        ("moderation.rules.list", {}),
        ("moderation.blocklists.list", {}),
        ("moderation.blocklists.get", {"list": "rude"}),
        ("moderation.try", {"text": "x"}),
        ("moderation.samples.list", {"test_set": "s"}),
    ]
    writing: list[tuple[str, dict[str, Any]]] = [
        ("moderation.rules.draft", {"rules": []}),
        ("moderation.rules.publish", {}),
        ("moderation.rules.rollback", {"version": 1}),
        ("moderation.blocklists.put", {"list": "new", "words": ["*"]}),
        ("moderation.blocklists.change", {"list": "rude", "add": ["*"]}),
        ("moderation.blocklists.delete", {"list": "rude"}),
    ]
    for operation, params in reading:
        await chat.do(operation, "mo", **params)
    for operation, params in reading + writing:
        await chat.refused(ErrorCode.PERMISSION_DENIED, operation, "ada", **params)
    for operation, params in writing:
        await chat.refused(ErrorCode.PERMISSION_DENIED, operation, "mo", **params)


async def test_every_change_is_written_down(chat: World) -> None:
    await staff(chat)
    await chat.do("moderation.blocklists.put", "chief", list="rude", words=["a", "b"])
    await chat.do("moderation.blocklists.change", "chief", list="rude", add=["c"], remove=["a"])
    draft = await chat.do("moderation.rules.draft", "chief", rules=[LONG], note="why")
    await chat.do("moderation.rules.publish", "chief")
    await publish(chat)
    await chat.do("moderation.rules.rollback", "chief", version=draft.version)
    await chat.do("moderation.blocklists.delete", "chief", list="rude")
    found = [(act, data) for act, actor, data in await acts(chat) if actor == "chief"]
    assert [act.removeprefix("moderation.") for act, _ in found] == [
        "blocklists.put",
        "blocklists.change",
        "rules.draft",
        "rules.publish",
        "rules.rollback",
        "blocklists.delete",
    ]
    assert found[1][1] == {"list": "rude", "words": 2, "added": 1, "removed": 1}
    assert found[3][1]["version"] == draft.version
    assert found[4][1]["to"] == draft.version


# --- trying -------------------------------------------------------------------------------------------------------


async def test_a_text_can_be_tried(chat: World) -> None:
    await publish(
        chat,
        {"when": RUDE, "action": "mask"},
        {"when": [{"type": "link"}], "action": "flag", "where": {"kinds": ["topic"]}},
    )
    tried = await chat.do(
        "moderation.try", "", text="a b4dword at https://x.example", sender={"kind": "topic"}
    )
    assert (tried.action, tried.rule, tried.flags) == ("mask", "rule 0", ("rule 1",))
    assert tried.text == "a ••••••• at https://x.example"
    assert tried.matches[0].spans == ((2, 9),)
    assert (await chat.do("moderation.try", "", text="https://x.example")).action == "allow"
    await chat.do("moderation.rules.draft", "", rules=[LONG])
    assert (await chat.do("moderation.try", "", text="long enough", rules="draft")).action == "reject"


async def test_a_test_set_shows_what_a_draft_would_change(chat: World) -> None:
    await staff(chat)
    await rule(chat, "reject")
    added = await chat.do(
        "moderation.samples.add",
        "mo",
        test_set="s",
        samples=[
            {"text": "badword", "expected": "reject"},
            {"text": "long enough", "expected": "allow"},
            {"text": "fine", "expected": "allow"},
            {"text": "newword", "expected": "reject", "sender": {"kind": "topic"}},
        ],
    )
    ids = [sample.id for sample in added.samples]
    assert (await chat.do("moderation.samples.list", "mo", test_set="s")).samples == added.samples
    await chat.refused(ErrorCode.NOT_FOUND, "moderation.replay", "mo", test_set="s")  # there is no draft
    pattern = {"name": "new", "when": [{"type": "pattern", "pattern": "newword"}], "action": "reject"}
    await chat.do("moderation.rules.draft", "chief", rules=[LONG, pattern])
    replayed = await chat.do("moderation.replay", "mo", test_set="s")
    assert (replayed.samples, replayed.changed, replayed.live_right, replayed.draft_right) == (4, 2, 3, 3)
    shown = {each.sample: (each.live, each.draft) for each in replayed.differences}
    assert shown == {ids[1]: ("allow", "reject"), ids[3]: ("allow", "reject")}
    await chat.refused(ErrorCode.NOT_FOUND, "moderation.replay", "mo", test_set="none")
    await chat.do("moderation.samples.delete", "mo", test_set="s", sample=ids[0])
    page = await chat.do("moderation.samples.list", "mo", test_set="s", limit=2)
    rest = await chat.do("moderation.samples.list", "mo", test_set="s", limit=2, cursor=page.next)
    assert [each.id for each in (*page.samples, *rest.samples)] == ids[1:]
    await chat.do("moderation.samples.delete", "mo", test_set="s")
    await chat.refused(ErrorCode.NOT_FOUND, "moderation.samples.delete", "mo", test_set="s")


# --- nodes --------------------------------------------------------------------------------------------------------


async def test_live_rules_are_there_after_a_restart(database: str) -> None:
    async with World(database) as chat:
        await rule(chat, "reject")
    again = await World(database).start()
    try:
        assert again.chat.moderation.active
        assert await refuses(again, "badword")
    finally:
        await again.stop()


async def test_other_nodes_take_new_rules(postgres_url: str) -> None:
    async with World(postgres_url) as one, World(postgres_url, beside=one) as two:
        await rule(one, "reject")
        while two.chat.moderation.judge is None:  # by a notice
            await two.settle()
        assert two.chat.moderation.judge.version == one.chat.moderation.judge.version  # type: ignore[union-attr]


async def test_a_node_that_was_not_told_looks_by_itself(postgres_url: str) -> None:
    quiet: dict[str, Any] = {"storage": {"notify": False}}
    async with World(postgres_url, **quiet) as one, World(postgres_url, beside=one, **quiet) as two:
        await rule(one, "reject")
        two.clock.advance(LOOK)
        while two.chat.moderation.judge is None:
            await two.settle()
