from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.egress.strangers import Internet, internet, says

from hubbub.chat.preview_images import LONGEST, PATH, Image, Images, type_of
from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
URL = "http://a.example/17.png"


@pytest.fixture
async def net() -> AsyncIterator[Internet]:
    async with internet() as found:
        found.host("a.example", says(PNG, "image/png"))
        yield found


def images(net: Internet, most: int = 1_000, secret: bytes = b"s" * 32) -> Images:
    return Images(net.egress(), most, secret)


def signed(found: Images, url: str = URL) -> str:
    path = found.path(url)
    assert path is not None
    return path


async def refusal(found: Images, path: str) -> ErrorCode:
    with pytest.raises(HubbubError) as failure:
        await found.fetch(path)
    return failure.value.code


async def test_images_are_fetched_once(net: Internet) -> None:
    found = images(net)
    path = signed(found)
    both = tuple(await asyncio.gather(found.fetch(path), found.fetch(path)))
    assert both == (Image("image/png", PNG),) * 2
    assert await found.fetch(path) == both[0]
    assert net.paths == ["/17.png"]


async def test_only_what_we_have_signed(net: Internet) -> None:
    found = images(net)
    path = signed(found)
    name, _, signature = path.removeprefix(PATH).partition(".")
    inside = signed(images(net, secret=b"t" * 32), "http://10.0.0.1/")
    for wrong in (
        *(
            PATH,
            PATH + name,
            PATH + name + ".",
            PATH + "." + signature,
            PATH + name + "A." + signature,
            path + "A",
        ),
        *(path[:-1], inside, PATH + "é." + signature, PATH + name.lower() + "." + signature),
    ):
        assert await refusal(found, wrong) == ErrorCode.NOT_FOUND, wrong
    assert net.asked == []
    assert await refusal(found, signed(found, "http://10.0.0.1/x.png")) == ErrorCode.EGRESS_REFUSED


async def test_long_urls(net: Internet) -> None:
    found = images(net)
    base = "http://a.example/"
    assert found.path(base + "x" * (LONGEST - len(base))) is not None
    assert found.path(base + "x" * (LONGEST - len(base) + 1)) is None


@pytest.mark.parametrize(
    ("body", "type"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/svg+xml"),
        (b"<svg onload='alert(1)'/>", "image/png"),
        (b"<html><script>alert(1)</script>", "image/png"),
        (b"GIF89", "image/gif"),
        (b"", "image/png"),
        (PNG, "text/html"),
        (PNG + bytes(1_000), "image/png"),
    ],
)
async def test_what_is_no_image(net: Internet, body: bytes, type: str) -> None:
    net.host("a.example", says(body, type))
    found = images(net)
    assert await refusal(found, signed(found)) == ErrorCode.EGRESS_REFUSED


async def test_what_is_kept_has_a_limit(net: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubbub.chat.preview_images.REMEMBERED", 2 * len(PNG))
    found = images(net)
    for number in (1, 2, 1, 3, 1, 2):
        await found.fetch(signed(found, f"http://a.example/{number}"))
    assert net.paths == ["/1", "/2", "/3", "/2"]


@pytest.mark.parametrize(
    ("content", "type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b"\0\0\0\x1cftypavif", "image/avif"),
        (b"\0\0\0\x1cftypmp42", None),
        (b"%PDF-1.4", None),
        (b"<?xml version='1.0'?><svg/>", None),
    ],
)
def test_types(content: bytes, type: str | None) -> None:
    assert type_of(content) == type
