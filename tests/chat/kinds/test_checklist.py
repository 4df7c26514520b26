from __future__ import annotations

from typing import Any

import pytest
from tests.chat.kinds.parts_checked import checked, kept, refused

from hubbub.errors import ErrorCode


def checklist(**fields: Any) -> dict[str, Any]:
    return {"type": "checklist", "items": [{"text": "Pack"}], **fields}


def test_it_is_kept_in_one_form() -> None:
    assert kept(checklist(title="Tod\u0061y", anyone=False)) == {
        "type": "checklist",
        "items": [{"id": "1", "text": "Pack"}],
        "title": "Today",
    }
    found = checked(checklist(title="Today"))
    assert (found.text, found.annotations, found.needs, found.due) == ("Today\nPack", None, (), ())
    assert checked(checklist()).text == "Pack"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"items": []}, ".items"),
        ({"items": [{"text": "a"}, {"text": "a"}]}, ".items[1].text"),
        ({"items": [{"text": "a", "done": True}]}, ".items[0].done"),
        ({"items": [{"id": "pack", "text": "a"}]}, ".items[0].id"),
        ({"title": ""}, ".title"),
        ({"anyone": "yes"}, ".anyone"),
        ({"done": ["1"]}, ".done"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], field: str) -> None:
    error = refused(checklist(**fields))
    assert (error.code, error.field) == (ErrorCode.VALIDATION_FAILED, f"parts[0]{field}"), error
