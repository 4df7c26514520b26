from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from hubbub.errors import ErrorCode, HubbubError
from hubbub.moderation.base import Draft, Facts, Findings, Verdict, decide
from hubbub.moderation.judge import COSTLY, Judge
from hubbub.moderation.recent import Recent
from hubbub.moderation.rules import Rule

LISTS = {"rude": ("badword", "meanword"), "mild": ("darn",)}
MEMBER = Facts("group", "c", "member", joined=1e6, created=1e6)


def judge(*rules: dict[str, Any], lists: dict[str, tuple[str, ...]] = LISTS) -> Judge:
    named = [{"name": f"rule {place}", **rule} for place, rule in enumerate(rules)]
    return Judge(1, msgspec.convert(named, tuple[Rule, ...]), lists)


def draft(text: str, *more: str, rest: str = "", parts: tuple[Raw, ...] = (), **fields: Any) -> Draft:
    texts = (text, *more)
    said = "\n".join((*texts, rest) if rest else texts)
    given = {"sender": "ada", "conversation": "c", "what": "send", **fields}
    return Draft(parts=parts, text=said, texts=tuple(enumerate(texts)), rest=rest, **given)


def verdict(made: Judge, text: str, facts: Facts = MEMBER, **fields: Any) -> Verdict:
    found = made.find(draft(text, **fields), 0.0)
    return decide(Findings("send", found), facts, exempt_moderators=True)


def when(**condition: Any) -> list[dict[str, Any]]:
    return [condition]


RUDE = when(type="blocklist", lists=["rude"])
MILD = when(type="blocklist", lists=["mild"])


def test_the_first_decides_and_flags_add_up() -> None:
    made = judge(
        {"when": MILD, "action": "flag", "priority": 3},
        {"when": RUDE, "action": "hold", "reason": "Mind your words.", "priority": 5},
        {"when": RUDE, "action": "reject"},
        {"when": MILD, "action": "flag", "priority": 9},
    )
    assert verdict(made, "fine").action == "allow"
    assert verdict(made, "darn badword") == Verdict("hold", "rule 1", "Mind your words.", ("rule 0",), 5)
    assert verdict(made, "darn") == Verdict("flag", "rule 0", "", ("rule 0", "rule 3"), 9)


def test_what_is_allowed_is_looked_at_no_further() -> None:
    made = judge(
        {"when": MILD, "action": "flag"},
        {"when": when(type="pattern", pattern="quote:"), "action": "allow"},
        {"when": RUDE, "action": "reject"},
    )
    assert verdict(made, "badword").action == "reject"
    assert verdict(made, "quote: badword").action == "allow"
    assert verdict(made, "darn, quote: badword").flags == ("rule 0",)


def test_all_conditions_must_fit() -> None:
    made = judge({"when": [*RUDE, {"type": "link"}], "action": "reject"})
    assert verdict(made, "badword").action == "allow"
    assert verdict(made, "https://a.example").action == "allow"
    assert verdict(made, "badword https://a.example").action == "reject"


@pytest.mark.parametrize(
    ("condition", "below", "above"),
    [
        ({"type": "shape", "characters": 5}, "12345", "123456"),
        ({"type": "shape", "lines": 2}, "a\nb", "a\nb\nc"),
        ({"type": "shape", "emoji": 2}, "🔥🔥", "🔥🔥🔥"),
        ({"type": "shape", "marks": 2}, "a\u0334\u0301b\u0334\u0301", "a\u0334\u0301\u0316"),
        ({"type": "shape", "capitals": 0.5}, "HELLO there", "HELLO THEre"),
        ({"type": "shape", "capitals": 0.5}, "HELLO YOU", "HELLO YOU THERE"),
        ({"type": "pattern", "pattern": r"\d{4}"}, "123", "1234"),
        ({"type": "pattern", "pattern": "Bad", "ignore_case": False}, "bad", "Bad"),
        ({"type": "link"}, "no link", "a https://x.example"),
        ({"type": "link", "deny": ["*.x.example"]}, "https://y.example", "https://a.x.example"),
        (
            {"type": "link", "allow": ["x.example"]},
            "https://x.example",
            "https://x.example https://y.example",
        ),
        ({"type": "link", "deny": ["bücher.example"]}, "ok", "https://xn--bcher-kva.example"),
        ({"type": "blocklist", "lists": ["mild", "rude"]}, "fine", "meanw0rd"),
    ],
)
def test_conditions(condition: dict[str, Any], below: str, above: str) -> None:
    made = judge({"when": [condition], "action": "reject"})
    assert verdict(made, below).action == "allow"
    assert verdict(made, above).action == "reject"


def test_mentions() -> None:
    made = judge({"when": when(type="mentions", users=2), "action": "reject"})
    quiet = judge({"when": when(type="mentions", users=2, everyone=False), "action": "reject"})
    assert verdict(made, "hi", mentions=2).action == "allow"
    assert verdict(made, "hi", mentions=3).action == "reject"
    assert verdict(made, "hi", everyone=True).action == "reject"
    assert verdict(quiet, "hi", everyone=True).action == "allow"


def test_links_of_parts_that_say_nothing_count() -> None:
    made = judge({"when": when(type="link", deny=["evil.example"]), "action": "reject"})
    card = Raw(b'{"type":"x.card","action":{"url":"https:\\/\\/evil.example\\/x"}}')
    assert verdict(made, "hi", parts=(Raw(b"{}"), card)).action == "reject"


def test_new_members() -> None:
    made = judge({"when": when(type="new_member", joined=60, created=3600), "action": "hold"})
    for joined, created, action in [(59, 3599, "hold"), (60, 3599, "allow"), (59, 3600, "allow")]:
        facts = Facts("group", "c", "member", joined=joined, created=created)
        assert verdict(made, "hi", facts).action == action


@pytest.mark.parametrize(
    ("where", "facts", "holds"),
    [
        ({"kinds": ["topic"]}, Facts("topic", "c", "member"), True),
        ({"kinds": ["topic"]}, Facts("group", "c", "member"), False),
        ({"roles": ["member", "reader"]}, Facts("group", "c", "member"), True),
        ({"roles": ["member"]}, Facts("group", "c", "admin"), False),
        ({"conversations": ["c"]}, Facts("group", "c", "member"), True),
        ({"conversations": ["d"]}, Facts("group", "c", "member"), False),
        ({"what": ["edit"]}, Facts("group", "c", "member"), False),
    ],
)
def test_scope(where: dict[str, Any], facts: Facts, holds: bool) -> None:
    made = judge({"when": RUDE, "action": "reject", "where": where})
    assert (verdict(made, "badword", facts).action == "reject") is holds


def test_moderators_are_exempt_if_they_are() -> None:
    made = judge({"when": RUDE, "action": "reject"})
    moderator = Facts("group", "c", "moderator", moderator=True)
    found = Findings("send", made.find(draft("badword"), 0.0))
    assert decide(found, moderator, exempt_moderators=True).action == "allow"
    assert decide(found, moderator, exempt_moderators=False).action == "reject"


def test_what_is_off_does_nothing() -> None:
    assert not judge({"when": RUDE, "action": "reject", "enabled": False})
    assert judge({"when": RUDE, "action": "reject"})
    assert not judge()


# --- floods and repetitions ---------------------------------------------------------------------------------------


def sent(made: Judge, recent: Recent, time: float, text: str = "hi", **fields: Any) -> bool:
    """Whether a rule fits."""
    return bool(made.find(draft(text, **fields), time, recent))


def test_floods() -> None:
    made, recent = (
        judge({"when": when(type="flood", messages=3, seconds=10), "action": "reject"}),
        Recent(100),
    )
    assert [sent(made, recent, float(time)) for time in range(5)] == [False] * 3 + [True] * 2
    assert not sent(made, recent, 4.0, sender="bob")
    assert not sent(made, recent, 4.0, conversation="other")
    assert not sent(made, recent, 14.5)


def test_floods_everywhere_and_their_default_window() -> None:
    made = judge({"when": when(type="flood", messages=1, everywhere=True), "action": "reject"})
    recent = Recent(100)
    assert not sent(made, recent, 0.0)
    assert sent(made, recent, 9.0, conversation="other")
    assert not sent(made, recent, 19.0, conversation="third")


def test_repetitions_however_they_are_disguised() -> None:
    made, recent = judge({"when": when(type="duplicate", seconds=60), "action": "reject"}), Recent(100)
    assert not sent(made, recent, 0.0, "Buy now!")
    assert sent(made, recent, 1.0, "buy  N0W")
    assert not sent(made, recent, 2.0, "something else")
    assert not sent(made, recent, 3.0, "Buy now!", sender="bob")
    assert not sent(made, recent, 4.0, "Buy now!", conversation="other")
    assert not sent(made, recent, 70.0, "Buy now!")


def test_repetitions_by_anybody() -> None:
    rule = {"when": when(type="duplicate", seconds=60, messages=2, anybody=True), "action": "reject"}
    made, recent = judge(rule), Recent(100)
    assert not sent(made, recent, 0.0, "Buy now!")
    assert not sent(made, recent, 1.0, "Buy now!", sender="bob", conversation="other")
    assert sent(made, recent, 2.0, "Buy now!", sender="eve")


def test_emoji_that_differ_are_no_repetition() -> None:
    made, recent = judge({"when": when(type="duplicate", seconds=60), "action": "reject"}), Recent(100)
    assert not sent(made, recent, 0.0, "🔥")
    assert not sent(made, recent, 1.0, "👍")
    assert sent(made, recent, 2.0, "🔥")


def test_what_is_repeated_with_its_key_or_edited_is_no_flood() -> None:
    made, recent = (
        judge({"when": when(type="flood", messages=1, seconds=60), "action": "reject"}),
        Recent(100),
    )
    assert not sent(made, recent, 0.0, key="k")
    assert not sent(made, recent, 1.0, what="edit")
    assert len(recent) == 1


# --- masks --------------------------------------------------------------------------------------------------------


def test_masks_cover_what_was_found_in_each_part() -> None:
    made = judge({"when": RUDE, "action": "mask", "mask": "*"})
    (finding,) = made.find(draft("a badword", "m3anword, badword"), 0.0)
    assert finding.action == "mask"
    assert sorted(finding.places) == [(0, 2, 9), (1, 0, 8), (1, 10, 17)]


def test_what_cannot_be_covered_is_refused() -> None:
    made = judge({"when": RUDE, "action": "mask"})
    (of_a_poll,) = made.find(draft("fine", rest="badword?"), 0.0)
    (over_two_parts,) = made.find(draft("b a d w", "o r d"), 0.0)
    assert of_a_poll.action == over_two_parts.action == "reject"
    (everything,) = judge({"when": when(type="pattern", pattern="[^x]+"), "action": "mask"}).find(
        draft("hi"), 0.0
    )
    assert everything.action == "reject"


# --- what no rule can mean ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"when": when(type="pattern", pattern="(a"), "action": "flag"}, "rules[0].when[0].pattern"),
        (
            {"when": [*RUDE, {"type": "pattern", "pattern": "(?=a)"}], "action": "flag"},
            "rules[0].when[1].pattern",
        ),
        ({"when": when(type="new_member"), "action": "flag"}, "rules[0].when[0]"),
        ({"when": when(type="shape"), "action": "flag"}, "rules[0].when[0]"),
        ({"when": when(type="shape", characters=5), "action": "mask"}, "rules[0].action"),
    ],
)
def test_what_no_rule_can_mean_is_refused(rule: dict[str, Any], field: str) -> None:
    with pytest.raises(HubbubError) as failure:
        judge(rule)
    assert (failure.value.code, failure.value.field) == (ErrorCode.VALIDATION_FAILED, field)


def test_a_list_that_is_not_there_is_empty() -> None:
    assert verdict(judge({"when": RUDE, "action": "reject"}, lists={}), "badword").action == "allow"


def test_what_is_long_is_costly() -> None:
    made = judge({"when": RUDE, "action": "reject"})
    assert not made.costly(draft("x" * COSTLY))
    assert made.costly(draft("x" * (COSTLY + 1)))
    heavy = judge(
        *({"when": when(type="pattern", pattern=f"[ab]{{{n}}}c"), "action": "flag"} for n in range(900, 910))
    )
    assert not heavy.costly(draft("hi"))
    assert heavy.costly(draft("x" * 1_500))
