from __future__ import annotations

from tests.chat.kinds.parts_checked import checked, kept, refused

from hubbub.errors import ErrorCode


def test_text_is_kept_in_one_form() -> None:
    assert kept({"format": "plain", "text": "e\u0301", "type": "text"}) == {"type": "text", "text": "é"}
    assert checked({"type": "text", "text": "*a*", "format": "markdown"}).text == "*a*"
    assert refused({"type": "text", "text": "\u0000"}).field == "parts[0].text"


def test_data_is_an_object_and_is_not_searched() -> None:
    found = checked({"type": "data", "data": {"text": "hello"}})
    assert (found.text, found.needs, found.files, found.annotations) == ("", (), (), None)
    error = refused({"type": "data", "data": "hello"})
    assert (error.code, error.field) == (ErrorCode.VALIDATION_FAILED, "parts[0].data")
