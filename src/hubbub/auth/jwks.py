"""Fetching a JSON Web Key Set by HTTP, off the event loop."""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import time
import urllib.request
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit

from hubbub.errors import ConfigError

TIMEOUT = 5.0
MAX_BYTES = 1024 * 1024


class JwksSource:
    """A key set at a URL. Raises ConfigError unless that is https, or http on loopback."""

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        parts = urlsplit(url)
        loopback = _loopback(parts.hostname or "")
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and loopback)):
            raise ConfigError(
                "auth.jwks_url must be https (or http on loopback): keys fetched in the clear can be "
                "replaced."
            )
        self.url = url
        self._timeout = timeout
        handlers: list[urllib.request.BaseHandler] = [_SameScheme()]
        if loopback:
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    async def fetch(self) -> bytes:
        """The document, at most MAX_BYTES long. Raises ValueError, which says what went wrong."""
        try:
            # The thread's own deadlines end it a little later in the worst case; nobody waits for that.
            return await asyncio.wait_for(asyncio.to_thread(self._get), self._timeout + 0.5)
        except TimeoutError as error:
            raise ValueError(f"no answer within {self._timeout:g} s") from error

    def _get(self) -> bytes:
        deadline = time.monotonic() + self._timeout
        accept = {"Accept": "application/jwk-set+json, application/json"}
        request = urllib.request.Request(self.url, headers=accept)
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                body = bytearray()
                while chunk := response.read1(65_536):
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise ValueError(f"the answer is longer than {MAX_BYTES} bytes")
                    if time.monotonic() > deadline:
                        raise TimeoutError
                return bytes(body)
        except HTTPError as error:
            error.close()
            raise ValueError(f"the answer is HTTP status {error.code}") from error
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise ValueError(f"cannot be fetched ({error.__class__.__name__}: {error})") from error


class _SameScheme(urllib.request.HTTPRedirectHandler):
    """Follows redirects from https to https, and on loopback (http) to the same host and port only."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if new.scheme != old.scheme or (new.scheme != "https" and new.netloc != old.netloc):
            raise HTTPError(req.full_url, code, "redirect to elsewhere", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
