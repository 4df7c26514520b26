from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw
from tests.chat.kinds.parts_checked import checked, kept, refused

from hubbub.chat.kinds.poll import CLOSE, poll_in
from hubbub.chat.model import Annotations, PollOption, PollState
from hubbub.chat.parts import Before, files_of, forwarded, needs_of, searchable
from hubbub.errors import ErrorCode

OPTIONS = [{"text": "Yes"}, {"text": "No"}]


def poll(**fields: Any) -> dict[str, Any]:
    return {"type": "poll", "question": "Ship?", "options": OPTIONS, **fields}


def test_options_get_ids() -> None:
    found = kept(poll(question="Ship e\u0301?"))
    assert found == {
        "type": "poll",
        "question": "Ship é?",
        "options": [{"id": "1", "text": "Yes"}, {"id": "2", "text": "No"}],
    }
    given = kept(poll(options=[{"text": "a"}, {"id": "1", "text": "b"}, {"id": "7-2", "text": "c"}]))
    assert [each["id"] for each in given["options"]] == ["2", "1", "7-2"]


def test_what_comes_with_it() -> None:
    found = checked(poll(closes=1e9))
    assert found.text == "Ship?\nYes\nNo"
    assert found.annotations == Annotations(poll=PollState((PollOption("1"), PollOption("2"))))
    assert (found.needs, found.due) == (("poll",), ((CLOSE, 1e9),))
    for results in ("after_vote", "closed"):
        assert checked(poll(results=results)).annotations == Annotations(poll=PollState())
    part = poll_in(found.parts)
    assert part is not None
    assert part.most == 1
    for fields, most in (({"multiple": True}, 2), ({"multiple": True, "max_votes": 2}, 2)):
        part = poll_in(checked(poll(**fields)).parts)
        assert part is not None
        assert part.most == most


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"question": ""}, ".question"),
        ({"question": "a\u0000"}, ".question"),
        ({"question": None}, ".question"),
        ({"options": []}, ".options"),
        ({"options": OPTIONS[:1]}, ".options"),
        ({"options": ["Yes", "No"]}, ".options[0]"),
        ({"options": [{"text": "Yes"}, {"text": " "}]}, ".options[1].text"),
        ({"options": [{"text": "\u00e9"}, {"text": "e\u0301"}]}, ".options[1].text"),
        ({"options": [{"text": "Yes", "votes": 9}, {"text": "No"}]}, ".options[0].votes"),
        ({"options": [{"id": "yes", "text": "Yes"}, {"text": "No"}]}, ".options[0].id"),
        ({"options": [{"id": "1\n", "text": "Yes"}, {"text": "No"}]}, ".options[0].id"),
        ({"options": [{"id": "١", "text": "Yes"}, {"text": "No"}]}, ".options[0].id"),
        ({"options": [{"id": "", "text": "Yes"}, {"text": "No"}]}, ".options[0].id"),
        ({"options": [{"id": "1", "text": "Yes"}, {"id": "1", "text": "No"}]}, ".options[1].id"),
        ({"max_votes": 2}, ".max_votes"),
        ({"multiple": True, "max_votes": 1}, ".max_votes"),
        ({"multiple": True, "max_votes": 2**70}, ".max_votes"),
        ({"results": "never"}, ".results"),
        ({"closes": -1}, ".closes"),
        ({"closes": 1e300}, ".closes"),
        ({"closes": "tomorrow"}, ".closes"),
        ({"anonymous": 1}, ".anonymous"),
        ({"voters": 3}, ".voters"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], field: str) -> None:
    error = refused(poll(**fields))
    assert (error.code, error.field) == (ErrorCode.VALIDATION_FAILED, f"parts[0]{field}"), error


def test_a_message_has_one() -> None:
    with pytest.raises(Exception, match="one part of this type"):
        checked(poll(), poll())


def test_what_is_forwarded_begins_anew() -> None:
    found = checked(
        {"type": "text", "text": "Look"}, poll(closes=1e9, anonymous=True), {"type": "x-own", "a": 1}
    )
    again = checked(*(json.loads(bytes(part)) for part in forwarded(found.parts)))
    assert again.due == ()
    assert again.annotations == found.annotations
    part = poll_in(again.parts)
    assert part is not None
    assert (part.closes, part.anonymous) == (None, True)
    assert [bytes(again.parts[n]) for n in (0, 2)] == [bytes(found.parts[n]) for n in (0, 2)]


def test_parts_from_before_the_kind_was_known_are_no_polls() -> None:
    old = (Raw(b'{"type":"poll","mine":[1,2]}'), Raw(b'{"type":"card"}'), Raw(b'{"type":"text","text":"a"}'))
    assert poll_in(old) is None
    assert (searchable(old), files_of(old), needs_of(old), forwarded(old)) == ("a", (), frozenset(), old)
    found = checked(poll(), before=Before(old, 2))
    assert [option.id for option in getattr(poll_in(found.parts), "options", ())] == ["1", "2"]
