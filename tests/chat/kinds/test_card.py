from __future__ import annotations

from typing import Any

import pytest
from tests.chat.kinds.parts_checked import checked, kept, refused

from hubbub.chat.kinds.card import card_in, only_links
from hubbub.chat.parts import forwarded
from hubbub.errors import ErrorCode

BUTTON = {"type": "button", "id": "ok", "label": "OK"}
LINK = {"type": "button", "id": "more", "label": "More", "url": "https://example.org"}
MONDAY = {"label": "Monday", "value": "1"}
SELECT = {"type": "select", "id": "day", "label": "Day", "options": [MONDAY]}
INPUT = {"type": "input", "id": "why", "label": "Why?"}
WHOLE: dict[str, Any] = {
    "type": "card",
    "title": "Order 17",
    "text": "Two **boxes**",
    "format": "markdown",
    "url": "https://example.org/17",
    "image": "https://example.org/17.png",
    "fields": [{"label": "Customer", "value": "Grace", "short": True}],
    "actions": [
        {
            **BUTTON,
            "style": "danger",
            "value": "17",
            "confirm": {"text": "Sure?", "title": "Order 17", "yes": "Yes", "no": "No"},
        },
        LINK,
        SELECT,
        {**INPUT, "placeholder": "Because", "multiline": True, "max_length": 100},
    ],
}


def card(*actions: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "card", "title": "Order 17", **({"actions": list(actions)} if actions else {}), **fields}


def test_it_is_kept_whole() -> None:
    assert kept(WHOLE) == WHOLE
    assert checked(WHOLE).text == "Order 17\nTwo **boxes**\nCustomer\nGrace"
    assert kept(card(title="e\u0301")) == card(title="é")


def test_only_links_are_forwarded() -> None:
    (part,) = forwarded(checked(WHOLE).parts)
    found = card_in((part,))
    assert found is not None
    assert [action.id for action in found.actions] == ["more"]
    assert only_links(found)
    assert (found.title, found.fields[0].value) == ("Order 17", "Grace")


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"type": "card"}, ""),
        ({"type": "card", "actions": [BUTTON]}, ""),
        (card(title=""), ".title"),
        (card(text="a\u0000"), ".text"),
        (card(format="html"), ".format"),
        (card(html="<b>"), ".html"),
        (card(url="javascript:alert(1)"), ".url"),
        (card(image="data:image/svg+xml,<svg onload=alert(1)>"), ".image"),
        (card(image="/local.png"), ".image"),
        (card({**LINK, "url": "java\tscript:alert(1)"}), ".actions[0].url"),
        (card({**LINK, "url": "&#106;avascript:alert(1)"}), ".actions[0].url"),
        (card({**LINK, "value": "1"}), ".actions[0].value"),
        (card({**BUTTON, "id": "a b"}), ".actions[0].id"),
        (card({**BUTTON, "id": "ok\n"}), ".actions[0].id"),
        (card({**BUTTON, "id": ""}), ".actions[0].id"),
        (card(BUTTON, BUTTON), ".actions[1].id"),
        (card({**BUTTON, "label": " "}), ".actions[0].label"),
        (card({**BUTTON, "style": "loud"}), ".actions[0].style"),
        (card({**BUTTON, "onclick": "alert(1)"}), ".actions[0].onclick"),
        (card({**BUTTON, "confirm": {}}), ".actions[0].confirm.text"),
        (card({**BUTTON, "confirm": {"text": ""}}), ".actions[0].confirm.text"),
        (card({**BUTTON, "type": "form"}), ".actions[0].type"),
        (card({**SELECT, "options": []}), ".actions[0].options"),
        (card({**SELECT, "options": [MONDAY, MONDAY]}), ".actions[0].options[1].value"),
        (card({**INPUT, "max_length": 0}), ".actions[0].max_length"),
        (card({**INPUT, "placeholder": ""}), ".actions[0].placeholder"),
        (card(fields=[{"label": "a"}]), ".fields[0].value"),
        (card(fields=[{"label": "", "value": "b"}]), ".fields[0].label"),
    ],
)
def test_what_is_wrong_is_named(part: Any, field: str) -> None:
    error = refused(part)
    assert (error.code, error.field) == (ErrorCode.VALIDATION_FAILED, f"parts[0]{field}"), error


def test_limits() -> None:
    two = card(BUTTON, INPUT)
    assert kept(two, card_actions=2)
    error = refused(card(BUTTON, INPUT, LINK), card_actions=2)
    assert (error.code, error.field) == (ErrorCode.LIMIT_EXCEEDED, "parts[0].actions")
    assert kept(card(BUTTON, title="abc"), option_length=3)
    assert refused(card(title="abcd"), option_length=3).code == ErrorCode.LIMIT_EXCEEDED
    assert (
        refused(card({**BUTTON, "label": "abcd"}, title="a"), option_length=3).code
        == ErrorCode.LIMIT_EXCEEDED
    )
    assert kept({"type": "card", "text": "a" * 60}, card_bytes=100)
    error = refused({"type": "card", "text": "a" * 90}, card_bytes=100)
    assert (error.code, error.field) == (ErrorCode.MESSAGE_TOO_LARGE, "parts[0]")
    assert refused(card(text="abcdefgh"), text_length=8).code == ErrorCode.MESSAGE_TOO_LARGE
