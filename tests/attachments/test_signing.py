from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from hubbub.attachments.signing import CONTENT, Signer, thumbnail

SIGNER = Signer(b"a secret of thirty-two bytes or so")


def parts(path: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(path).query))


def allows(signer: Signer = SIGNER, /, **other: str | float | bool) -> bool:
    given = parts(SIGNER.path("ab12", CONTENT, 1_000))
    asked = {"file": "ab12", "variant": CONTENT, "now": 999.0, "download": False, **given, **other}
    return signer.allows(**asked)  # type: ignore[arg-type]


def test_a_signed_path_is_valid_until_its_time() -> None:
    assert SIGNER.path("ab12", CONTENT, 1_000).startswith("/v1/files/ab12/content?expires=1000&signature=")
    assert allows()
    assert not allows(now=1_000.0)
    assert not allows(now=1e12)


@pytest.mark.parametrize(
    "other",
    [
        {"file": "ab13"},
        {"variant": thumbnail(0)},
        {"expires": "9999"},
        {"expires": "1000 "},
        {"expires": ""},
        {"expires": "x" * 10_000},
        {"expires": "\ud800"},
        {"download": True},
        {"signature": ""},
        {"signature": "A" * 43},
        {"signature": "ü"},
        {"signature": "\ud800"},
    ],
    ids=repr,
)
def test_nothing_of_it_can_be_changed(other: dict[str, str | bool]) -> None:
    assert not allows(**other)


def test_another_secret_signs_otherwise_and_so_does_each_field() -> None:
    assert not allows(Signer(b"another secret of thirty-two bytes"))
    paths = {
        SIGNER.path(file, variant, 1_000, download=download)
        for file in ("a", "b")
        for variant in (CONTENT, thumbnail(0), thumbnail(1))
        for download in (False, True)
    }
    assert len({parts(path)["signature"] for path in paths}) == 12
