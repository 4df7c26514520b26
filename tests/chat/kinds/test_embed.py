from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw
from tests.chat.kinds.parts_checked import LIMITS, checked, kept, refused

from hubbub.chat.parts import check, forwarded
from hubbub.errors import ErrorCode, HubbubError

EMBED = {"type": "embed", "url": "https://example.org/a"}
PLACE = {"type": "location", "latitude": 52.52, "longitude": 13.405}


def test_an_embed_is_kept() -> None:
    whole = {
        **EMBED,
        "title": "A page",
        "description": "About\nthings",
        "site": "Example",
        "image": "http://example.org/a.png",
    }
    assert kept(whole) == whole
    assert kept(EMBED) == EMBED
    assert checked(whole).text == "A page\nAbout\nthings\nExample"
    assert checked(EMBED).text == ""


def test_a_place_is_kept() -> None:
    whole = {**PLACE, "accuracy": 12.5, "label": "Alexanderplatz", "live_until": 1e9}
    assert kept(whole) == whole
    assert kept({"type": "location", "latitude": -90, "longitude": 180}) == {
        "type": "location",
        "latitude": -90.0,
        "longitude": 180.0,
    }
    found = checked(whole)
    assert found.text == "Alexanderplatz"
    assert forwarded(found.parts) == checked({**whole, "live_until": None}).parts


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({**EMBED, "url": "javascript:alert(1)"}, "url"),
        ({**EMBED, "image": "data:image/png;base64,AAAA"}, "image"),
        ({**EMBED, "title": "a\u0000"}, "title"),
        ({**EMBED, "description": " "}, "description"),
        ({**EMBED, "html": "<b>"}, "html"),
        ({"type": "embed"}, "url"),
        ({**PLACE, "latitude": 90.1}, "latitude"),
        ({**PLACE, "longitude": -180.1}, "longitude"),
        ({**PLACE, "latitude": "52"}, "latitude"),
        ({**PLACE, "latitude": None}, "latitude"),
        ({**PLACE, "latitude": 10**400}, "latitude"),
        ({**PLACE, "accuracy": -1}, "accuracy"),
        ({**PLACE, "label": ""}, "label"),
        ({**PLACE, "live_until": 0}, "live_until"),
        ({**PLACE, "altitude": 3}, "altitude"),
    ],
)
def test_what_is_wrong_is_named(part: Any, field: str) -> None:
    error = refused(part)
    assert error.field in (f"parts[0].{field}", "parts[0]"), error
    assert error.code in (ErrorCode.VALIDATION_FAILED, ErrorCode.INVALID_DATA)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"1e400", b"-1e400"])
def test_places_are_numbers(number: bytes) -> None:
    raw = b'{"type":"location","latitude":%s,"longitude":1}' % number
    with pytest.raises(HubbubError):
        check([Raw(raw)], LIMITS)


def test_labels_are_bounded() -> None:
    assert kept({**PLACE, "label": "abc"}, option_length=3)["label"] == "abc"
    assert refused({**PLACE, "label": "abcd"}, option_length=3).code == ErrorCode.LIMIT_EXCEEDED
    assert refused({**EMBED, "description": "abcd"}, text_length=3).code == ErrorCode.MESSAGE_TOO_LARGE
