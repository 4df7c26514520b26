"""Slack's mrkdwn as Markdown."""

from __future__ import annotations

import pytest

from hubbub.transfer.slack_text import Said, converted


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("plain", "plain"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&amp;lt;", "&lt;"),
        ("*bold* and 2*3*4", "**bold** and 2*3*4"),
        ("~struck~", "~~struck~~"),
        ("`*code*` ```*more*```", "`*code*` ```*more*```"),
        ("<https://example.com>", "https://example.com"),
        ("<https://example.com|here>", "[here](https://example.com)"),
        ("<mailto:a@example.com|a@example.com>", "a@example.com"),
        ("<#C1|general> <#C2>", "#general #C2"),
        ("<!subteam^S1|@crew> <!date^1^{date}|today>", "@crew today"),
        ("<unclosed", "<unclosed"),
    ],
)
def test_marks(raw: str, text: str) -> None:
    assert converted(raw, {}) == Said(text)


def test_mentions() -> None:
    assert converted("<@U1> <@U2|bob> <@U1> <!here>", {"U1": "Ada"}) == Said(
        "@Ada @bob @Ada @here", ("U1", "U2"), "here"
    )
    assert converted("<!channel> <!here>", {}).everyone == "all"


@pytest.mark.parametrize(
    "raw", ["*" * 40_000, "*a" * 20_000, "<" * 40_000, "`" * 40_000, "~a " * 13_000, "```" + "a" * 40_000]
)
def test_hostile_text_takes_no_time(raw: str) -> None:
    assert converted(raw, {}).text
