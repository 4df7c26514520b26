"""The built web app, read from the package: each file with its type, validator and compressed twins."""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

STATIC: Final = "static"
"""The folder that `npm run build` in `web/` writes; it is in the wheel, and not in git."""

INDEX: Final = "index.html"

CONTENT_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".mp3": "audio/mpeg",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
}

ENCODINGS: Final = {".br": "br", ".gz": "gzip"}
"""Endings of compressed twins, the smallest first, and the coding that each is (RFC 9110, section 8.4)."""


class Body(NamedTuple):
    """One encoding of a file. `etag` is a strong validator, quotes included, of it alone (RFC 9110, 8.8.3)."""

    data: bytes
    etag: str


class File(NamedTuple):
    """A file: as it is (`identity`), and compressed where that was worth it."""

    content_type: str
    bodies: dict[str, Body]


def read_static(root: Traversable | None = None) -> dict[str, File]:
    """All files below `root` (the package's own by default) by their path without a slash in front. Empty: not built.

    Blocks; what has a type that no browser is to get is left out.
    """
    if root is None:
        root = files(__package__) / STATIC
    found: dict[str, bytes] = {}
    if root.is_dir():
        _read(root, "", found)
    site = {}
    for path, data in found.items():
        content_type = CONTENT_TYPES.get(PurePosixPath(path).suffix)
        if content_type is not None:
            twins = {
                coding: found[path + ending] for ending, coding in ENCODINGS.items() if path + ending in found
            }
            site[path] = file_of(content_type, data, twins)
    return site


def file_of(content_type: str, data: bytes, twins: dict[str, bytes] | None = None) -> File:
    """A File of `data`; compressed here, if there are no `twins` and it is text that is longer than a packet."""
    if twins is None:
        twins = {"gzip": gzip.compress(data, mtime=0)} if len(data) > 1400 else {}
    bodies = {coding: body_of(twin) for coding, twin in twins.items()}
    return File(content_type, {**bodies, "identity": body_of(data)})


def body_of(data: bytes) -> Body:
    return Body(data, f'"{hashlib.sha256(data).hexdigest()[:20]}"')


def _read(folder: Traversable, prefix: str, found: dict[str, bytes]) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            _read(entry, f"{prefix}{entry.name}/", found)
        else:
            found[prefix + entry.name] = entry.read_bytes()
