"""Signed URLs: whoever has one may read one file for a short while, without a token. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import urlencode

CONTENT = "content"
PURPOSE = b"hubbub: URLs of files, version 1"
LONGEST = 2**53


def thumbnail(place: int) -> str:
    """The variant that is the thumbnail at `place` among those of a file."""
    return f"thumbnails/{place}"


class Signer:
    """Signs the paths of files. Different purposes of one secret have different keys."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.new(secret, PURPOSE, hashlib.sha256).digest()

    def path(self, file: str, variant: str, expires: int, *, download: bool = False) -> str:
        """The path and query by which `variant` of `file` can be read before `expires` (Unix seconds). `download` has
        browsers save it, whatever it is."""
        query: dict[str, str | int] = {"expires": expires}
        if download:
            query["download"] = 1
        query["signature"] = self._sign(file, variant, str(expires), download)
        return f"/v1/files/{file}/{variant}?{urlencode(query)}"

    def allows(
        self, file: str, variant: str, expires: str, signature: str, *, download: bool, now: float
    ) -> bool:
        """Whether the parts of such a path belong together, and the time has not come."""
        if not hmac.compare_digest(
            signature.encode("utf-8", "replace"), self._sign(file, variant, expires, download).encode()
        ):
            return False
        return now < min(int(expires), LONGEST)  # digits: we have signed them

    def _sign(self, file: str, variant: str, expires: str, download: bool) -> str:
        said = "\n".join((file, variant, expires, "download" if download else "")).encode("utf-8", "replace")
        found = hmac.new(self._key, said, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(found).rstrip(b"=").decode()
