"""An answer of HTTP/1.1 as its bytes come, within limits. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import httptools

from hubbub.egress.urls import refused

HEAD_BYTES = 32_768
HEADERS = 100
GZIP = ("gzip", "x-gzip")


class Response:
    """`feed` it; `done` says that no more is of use. `body` is inflated, at most `most` bytes; `cut`: there was more.

    The type of a body is judged before it is read.
    """

    def __init__(self, types: Sequence[str], most: int) -> None:
        self.status = 0
        self.body = bytearray()
        self.cut = False
        self.done = False
        self._types = types
        self._most = most
        self._headers: dict[str, str] = {}
        self._fields = 0
        self._heads = 0
        self._raw = 0
        self._whole = False
        self._in_body = False
        self._inflate: zlib._Decompress | None = None
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Raises EGRESS_REFUSED for what is no answer, or none of a type that was asked for."""
        if not self._in_body:
            self._heads += len(data)
            for begin in range(0, len(data), 4_096):
                self._parse(data[begin : begin + 4_096])
                if self.done:
                    return
            if not self._in_body and self._heads > HEAD_BYTES:
                raise refused("the answer's head is too long")
        else:
            self._raw += len(data)
            if self._raw > 2 * self._most + HEAD_BYTES:  # chunks of a byte, with more around them
                self.cut = self.done = True
                return
            self._parse(data)

    def end(self) -> None:
        """The connection has ended. Raises EGRESS_REFUSED if there was no answer; what ends early is cut."""
        if not self._in_body:
            raise refused("there was no answer")
        if not self._whole and ("content-length" in self._headers or "transfer-encoding" in self._headers):
            self.cut = True
        self.done = True

    def header(self, name: str) -> str | None:
        return self._headers.get(name)

    @property
    def type(self) -> tuple[str, str | None]:
        """The media type, and the charset if it has one; both in lower case."""
        given, _, rest = self._headers.get("content-type", "").lower().partition(";")
        charset = None
        for parameter in rest.split(";"):
            name, _, value = parameter.partition("=")
            if name.strip() == "charset":
                charset = value.strip().strip("\"'")
        return given.strip(), charset

    # --- what the parser calls --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._headers.clear()
        self._fields = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        if self._fields > HEADERS:
            raise refused("the answer has too many headers")
        self._headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < 200:
            return
        self._in_body = True
        if self.status != 200:
            self.done = True
            return
        if self.type[0] not in self._types:
            raise refused("it is of another type")
        encoding = self._headers.get("content-encoding", "identity").strip().lower()
        if encoding in GZIP:
            self._inflate = zlib.decompressobj(wbits=31)
        elif encoding not in ("identity", ""):
            raise refused("it is encoded in a way that was not asked for")

    def on_body(self, data: bytes) -> None:
        if self.done:
            return
        room = self._most - len(self.body) + 1
        if self._inflate is not None:
            # Never more than there is room for, whatever it would become.
            try:
                data = self._inflate.decompress(data, room)
            except zlib.error:
                raise refused("it is not what it says that it is") from None
        self.body += data[:room]
        if len(self.body) > self._most:
            del self.body[self._most :]
            self.cut = self.done = True

    def on_message_complete(self) -> None:
        if self._in_body:
            self._whole = self.done = True

    # ------------------------------------------------------------------------------------------------------------------

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ or refused("the answer cannot be read") from None
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self.done:
                raise refused("the answer cannot be read") from None
