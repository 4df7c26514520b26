from __future__ import annotations

import random

import pytest

from hubbub.moderation.links import INNER_DOT, LINK, host, links, within
from hubbub.moderation.patterns import Seen


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("see https://evil.example/x?y", ["evil.example"]),
        ("HTTPS://EVIL.EXAMPLE", ["evil.example"]),
        ("evil.example/path", ["evil.example"]),
        ("www.evil.example.", ["www.evil.example"]),
        ("https://good.example@evil.example/", ["evil.example"]),
        ("https://evil.example\\@good.example/", ["evil.example"]),
        ("https://evil.example:8443/", ["evil.example"]),
        ("https://evil.example.", ["evil.example"]),
        ("[here](https://evil.example)", ["evil.example"]),
        ("hxxps://evil[.]example/x", ["evil.example"]),
        ("evil[.]example", ["evil.example"]),
        ("https://ev\u200bil.example", ["evil.example"]),
        ("https://ｅｖｉｌ．example", ["evil.example"]),
        ("https://evil。example", ["evil.example"]),
        ("https://bücher.example", ["xn--bcher-kva.example"]),
        ("https://xn--bcher-kva.example", ["xn--bcher-kva.example"]),
        ("https://127.0.0.1/", ["127.0.0.1"]),
        ("https://[::1]/", ["[::1]"]),
        ("two: a.example b.example", ["a.example", "b.example"]),
        ("mail me@evil.example", []),
        ("e.g. this, i.e. that... at 3.14 or 10.30", []),
        ("nothing here", []),
    ],
)
def test_where_links_lead(text: str, hosts: list[str]) -> None:
    found = list(links(Seen(text)))
    assert [name for name, _ in found] == hosts
    for _, (begin, end) in found:
        assert 0 <= begin < end <= len(text)


def test_hosts_and_what_is_below_them() -> None:
    assert within("evil.example", ("evil.example",))
    assert not within("www.evil.example", ("evil.example",))
    assert within("www.evil.example", ("*.evil.example",))
    assert within("evil.example", ("*.evil.example",))
    assert not within("notevil.example", ("*.evil.example",))
    assert host("Example.COM:80") == "example.com"


def test_no_link_is_passed_over_because_it_has_no_dot_within() -> None:
    dice = random.Random(1)
    pieces = [
        ".",
        "[.]",
        "(.)",
        "a",
        "evil",
        "xn--b",
        "-",
        "_",
        " ",
        "://",
        "https",
        "hxxp[:]//",
        "é",
        "1",
        "]",
        ")",
        "@",
    ]
    several = 0
    for _ in range(20_000):
        text = "".join(dice.choices(pieces, k=dice.randint(1, 8)))
        if LINK.search(text) is not None:
            several += 1
            assert "//" in text or INNER_DOT.search(text) is not None, text
    assert several > 500
