"""The images of previews over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.api.chat_server import ChatServer
from tests.egress.strangers import internet, says

from hubbub.chat.preview_images import PATH
from hubbub.chat.previews import Previews

pytestmark = pytest.mark.anyio
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.mark.parametrize(
    ("content", "type"),
    [
        (b"GIF89a/*<html><script>alert(1)</script>*/=1;alert(2)", "image/gif"),
        (b"\xff\xd8\xff\xe0<html><body onload=alert(1)>", "image/jpeg"),
        (PNG + b"<svg onload='alert(1)'/>", "image/png"),
        (PNG + b"PK\x03\x04", "image/png"),
    ],
)
async def test_what_is_an_image_and_a_page_at_once_is_served_as_an_image(
    tmp_path: Path, content: bytes, type: str
) -> None:
    """They are not made anew: this is why they need not be."""
    async with internet() as net:
        net.host("a.example", says(content, "image/png"))
        server = await ChatServer(tmp_path).start()
        chat = server.world.chat
        chat.previews = Previews(chat, net.egress())
        await chat.previews.start()
        path = chat.previews.images.path("http://a.example/x.html")
        headers = (await server.http.get(str(path))).headers
        assert headers["content-type"] == type
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "sandbox" in headers["content-security-policy"]
        assert headers["content-disposition"].startswith("inline")
        await chat.previews.stop()
        await server.stop()


async def test_images_are_served_harmlessly(tmp_path: Path) -> None:
    async with internet() as net:
        net.host("a.example", says(PNG, "image/png"))
        net.host("b.example", says(b"<svg onload='alert(1)'/>", "image/svg+xml"))
        server = await ChatServer(tmp_path).start()
        chat = server.world.chat
        assert (await server.http.get(f"{PATH}x")).status_code == 404
        chat.previews = Previews(chat, net.egress())
        await chat.previews.start()
        image, other, inside = (
            chat.previews.images.path(url)
            for url in ("http://a.example/a", "http://b.example/b", "http://10.0.0.1/")
        )
        assert image is not None
        answer = await server.http.get(image)
        assert (answer.status_code, answer.content) == (200, PNG)
        headers = answer.headers
        assert headers["content-type"] == "image/png"
        assert headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in headers["content-security-policy"]
        assert headers["cache-control"].startswith("private, max-age=")
        head = await server.http.head(image)
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(PNG)))
        assert (await server.http.post(image)).status_code == 405
        for path in (other, inside, f"{PATH}x", f"{PATH}x.y", image + "x"):
            refused = await server.http.get(str(path))
            assert refused.status_code == 404, path
            assert "10.0.0.1" not in refused.text
        assert net.paths == ["/a", "/b"]
        await chat.previews.stop()
        await server.stop()
