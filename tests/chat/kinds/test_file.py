from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from hubbub.chat import parts
from hubbub.chat.kinds.file import FILE, FilePart, Thumbnail, filled
from hubbub.config import LimitsConfig
from hubbub.errors import ErrorCode, HubbubError

LIMITS = LimitsConfig()
ID = "0123456789abcdef" * 2


def check(part: object) -> parts.Checked:
    return parts.check([Raw(msgspec.json.encode(part))], LIMITS)


def test_a_part_names_a_file_and_says_something_of_it() -> None:
    checked = check({"type": "file", "file": ID, "caption": "our cat"})
    assert checked.json == f'[{{"type":"file","file":"{ID}","caption":"our cat"}}]'
    assert (checked.files, checked.needs, checked.text) == ((ID,), ("attach",), "our cat")


def test_what_the_server_says_is_passed_over_when_a_sender_says_it() -> None:
    lies = {
        "name": "x.png",
        "media_type": "text/html",
        "size": 7,
        "width": 1,
        "height": 1,
        "duration": 2.5,
        "thumbnails": [{"width": 1, "height": 1}],
    }
    assert check({"type": "file", "file": ID, **lies}).json == f'[{{"type":"file","file":"{ID}"}}]'


def test_what_is_known_is_filled_in_and_found() -> None:
    raw = bytes(check({"type": "file", "file": ID, "caption": "our cat"}).parts[0])
    known = FilePart(ID, "", "cat.png", "image/png", 5, 640, 480, None, (Thumbnail(320, 240),))
    whole = filled(raw, known)
    assert msgspec.json.decode(whole)["thumbnails"] == [{"width": 320, "height": 240}]
    assert FILE.text(whole) == "our cat\ncat.png"
    assert parts.files_of([Raw(whole)]) == (ID,)


@pytest.mark.parametrize(
    "part",
    [
        {},
        {"file": ""},
        {"file": "../x"},
        {"file": "x" * 65},
        {"file": 1},
        {"file": None},
        {"file": ID, "caption": "\0"},
        {"file": ID, "caption": " "},
        {"file": ID, "owner": "ada"},
        {"file": ID, "url": "https://example.com"},
    ],
    ids=str,
)
def test_what_is_no_such_part(part: dict[str, object]) -> None:
    with pytest.raises(HubbubError) as failure:
        check({"type": "file", **part})
    assert failure.value.code == ErrorCode.VALIDATION_FAILED
    assert (failure.value.field or "").startswith("parts[0]")


def test_captions_count_as_text() -> None:
    with pytest.raises(HubbubError) as failure:
        check({"type": "file", "file": ID, "caption": "x" * (LIMITS.text_length + 1)})
    assert failure.value.code == ErrorCode.MESSAGE_TOO_LARGE
