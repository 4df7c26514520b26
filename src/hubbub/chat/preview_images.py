"""The images of previews, by way of this server: who reads a message does not show itself to who is behind a link.

Where an image is to be found is in its path, signed: nobody has the server fetch anything but what it has named itself.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict
from typing import NamedTuple

from hubbub.egress.fetch import Egress
from hubbub.errors import ErrorCode, HubbubError

PATH = "/v1/previews/images/"
PURPOSE = b"hubbub: images of previews, version 1"
LONGEST = 1_000
"""Bytes of the URL of an image."""
TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif")
REMEMBERED = 16_777_216
"""Bytes of images that are kept in memory."""


class Image(NamedTuple):
    """Of a type by its content."""

    type: str
    content: bytes


class Images:
    """Signs the paths of images, and fetches them."""

    def __init__(self, egress: Egress, most: int, secret: bytes) -> None:
        """`most`: bytes of one image."""
        self._egress = egress
        self._most = most
        self._key = hmac.new(secret, PURPOSE, hashlib.sha256).digest()
        self._kept: OrderedDict[str, Image] = OrderedDict()
        self._size = 0
        self._fetching: dict[str, asyncio.Task[Image]] = {}

    def path(self, url: str) -> str | None:
        """Where the image is below this server; None for a URL that is too long."""
        data = url.encode()
        if len(data) > LONGEST:
            return None
        name = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
        return f"{PATH}{name}.{self._sign(name)}"

    async def fetch(self, path: str) -> Image:
        """Raises NOT_FOUND for a path that is not ours, and what `Egress.fetch` raises."""
        url = self._url(path)
        if (found := self._kept.get(url)) is not None:
            self._kept.move_to_end(url)
            return found
        task = self._fetching.get(url)
        if task is None:
            task = self._fetching[url] = asyncio.create_task(self._fetch(url))
            task.add_done_callback(lambda _: self._fetching.pop(url, None))
        return await asyncio.shield(task)

    async def _fetch(self, url: str) -> Image:
        found = await self._egress.fetch(url, TYPES, self._most, whole=True)
        type = type_of(found.body)
        if type is None:
            raise HubbubError(ErrorCode.EGRESS_REFUSED, "it is no image", field="url")
        image = Image(type, found.body)
        self._kept[url] = image
        self._size += len(image.content)
        while self._size > REMEMBERED:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest.content)
        return image

    def _url(self, path: str) -> str:
        name, _, signature = path.removeprefix(PATH).partition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(name).encode()):
            raise HubbubError(ErrorCode.NOT_FOUND, "there is no such image")
        try:
            return base64.b64decode(name + "=" * (-len(name) % 4), b"-_", validate=True).decode()
        except (ValueError, binascii.Error):  # we sign nothing of the kind
            raise HubbubError(ErrorCode.NOT_FOUND, "there is no such image") from None

    def _sign(self, name: str) -> str:
        found = hmac.new(self._key, name.encode("utf-8", "replace"), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(found[:18]).decode()


def type_of(content: bytes) -> str | None:
    """What browsers may show, by how it begins (WHATWG MIME sniffing, 6.1); None for all else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content[:4] == b"RIFF" and content[8:14] == b"WEBPVP":
        return "image/webp"
    if content[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    return None
