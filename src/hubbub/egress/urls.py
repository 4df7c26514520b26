"""URLs that may be fetched, read in one way: what two readers could read differently is refused. Pure.

The rules are those of the WHATWG URL standard where it is strict, and stricter where browsers are kind: no user's name,
no backslash, no host that normalises to another, no number that is an address in disguise.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urljoin

from hubbub.egress.addresses import Address, parse
from hubbub.errors import ErrorCode, HubbubError

LONGEST = 2_048
"""Characters, as it is and as it is sent."""
DEFAULT_PORTS = {"http": 80, "https": 443}
_SHAPE = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#\\]+)(?:[/?#][^\\]*)?", re.IGNORECASE)
_REFUSED = re.compile("[\x00-\x20\x7f-\xa0\\\\\ud800-\udfff]")
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[^\[\]:@]{1,253})(?::(?P<port>[0-9]{1,5}))?")
_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_QUAD = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})")
_DEVIATING = re.compile("[\u00df\u03c2\u200c\u200d]")
"""What IDNA 2003 and 2008 make different names of (UTS 46)."""
_KEPT = "%/:@!$&'()*+,;=~-._?"


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was read. `host` is as DNS has it, in lower case; `address` is the host, if it is one; `path` has the
    query, in ASCII."""

    scheme: str
    host: str
    address: Address | None
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The header Host."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == DEFAULT_PORTS[self.scheme] else f"{name}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def read(url: str) -> Target:
    """Raises EGRESS_REFUSED for what is no plain http or https URL."""
    if len(url) > LONGEST:
        raise refused(f"the URL has more than {LONGEST} characters")
    if _REFUSED.search(url) is not None or (shape := _SHAPE.fullmatch(url)) is None:
        raise refused("not an http or https URL")
    scheme = shape["scheme"].lower()
    authority = _AUTHORITY.fullmatch(shape["authority"])
    if authority is None:
        raise refused("the URL has no plain host")
    host, address = _host(authority["host"])
    port = int(authority["port"]) if authority["port"] else DEFAULT_PORTS[scheme]
    if not 0 < port < 65_536:
        raise refused("the URL has no such port")
    path = url[shape.end("authority") :].partition("#")[0]
    if not path.startswith("/"):
        path = "/" + path
    target = Target(scheme, host, address, port, quote(path, safe=_KEPT))
    if len(str(target)) > LONGEST:
        raise refused(f"the URL has more than {LONGEST} characters")
    return target


def follow(base: Target, location: str) -> Target:
    """Where a redirect leads. Raises EGRESS_REFUSED."""
    if len(location) > LONGEST or _REFUSED.search(location) is not None:
        raise refused("redirected to what is no URL")
    try:
        return read(urljoin(str(base), location))
    except ValueError:
        raise refused("redirected to what is no URL") from None


def among(host: str, names: Sequence[str]) -> bool:
    """Whether `host` is one of `names`; `*.example.com` is all below it, and `example.com` itself."""
    return any(
        host == name or (name.startswith("*.") and (host == name[2:] or host.endswith(name[1:])))
        for name in (each.lower().rstrip(".") for each in names)
    )


def refused(why: str) -> HubbubError:
    return HubbubError(ErrorCode.EGRESS_REFUSED, why, field="url")


def _host(given: str) -> tuple[str, Address | None]:
    """As DNS has it, and the address if it is one. A name may end with a dot, as absolute ones do."""
    if given.startswith("["):
        address: Address | None
        try:
            address = parse(given[1:-1])
        except ValueError:
            address = None
        if address is None or address.version != 6:
            raise refused("the URL's host is no address")
        return str(address), address
    if not given.isascii():
        given = _ascii(given)
    name = given.lower().removesuffix(".")
    if _NAME.fullmatch(name) is None:
        raise refused("the URL's host is no name")
    if _NUMBER.fullmatch(name.rpartition(".")[2]) is None:
        return name, None
    # A number at its end makes it an address (WHATWG, 3.5): only as everybody writes them.
    if _QUAD.fullmatch(name) is None:
        raise refused("the URL's host is a number")
    try:
        address = parse(name)
    except ValueError:
        raise refused("the URL's host is no address") from None
    return name, address


def _ascii(name: str) -> str:
    if unicodedata.normalize("NFKC", name) != name or _DEVIATING.search(name) is not None:
        raise refused("the URL's host can be read in two ways")
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        raise refused("the URL's host is no name") from None
