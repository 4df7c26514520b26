"""Names of files, made safe for every disk and every eye. Pure.

A name never decides anything on the server: files are kept under ids of ours. It is what somebody's computer gives the
file when it is saved, and what people go by when they open it.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 240
"""Bytes of UTF-8: disks take 255, and browsers add ` (1)`."""
UNNAMED = "file"
_RESERVED = re.compile(r"(?i:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])[ ]*(?:\.|$)")
_WRONG = re.compile(r'[<>:"|?*]')
_SPACES = re.compile(r"\s+")
_DRIVE = re.compile(r"[A-Za-z]:")
_JOINERS = "\u200c\u200d"
"""Join the letters of Persian and the parts of emoji; among ASCII they only hide."""
_EXTENSION = re.compile(r"\.[^. ]{1,12}$")

EXTENSIONS: dict[str, tuple[str, ...]] = {
    "image/png": ("png", "apng"),
    "image/jpeg": ("jpg", "jpeg", "jfif", "jpe", "mpo"),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "image/avif": ("avif", "avifs"),
    "image/heic": ("heic", "heif", "hif"),
    "image/heif": ("heif", "heic", "hif"),
    "image/tiff": ("tiff", "tif", "dng", "nef", "cr2", "arw", "orf", "pef", "rw2"),
    "image/bmp": ("bmp", "dib"),
    "image/x-icon": ("ico",),
    "audio/mpeg": ("mp3", "mp2", "mpga"),
    "audio/mp4": ("m4a", "m4b", "mp4"),
    "audio/ogg": ("ogg", "oga", "opus", "spx"),
    "audio/wav": ("wav",),
    "audio/flac": ("flac",),
    "audio/aac": ("aac",),
    "video/mp4": ("mp4", "m4v", "m4a", "f4v"),
    "video/quicktime": ("mov", "qt"),
    "video/webm": ("webm", "weba"),
    "video/ogg": ("ogv", "ogg", "ogx"),
    "video/x-matroska": ("mkv", "mka", "mks"),
    "application/pdf": ("pdf", "ai"),
}
"""Types that are opened with a click, and what their names end in; the first is ours."""


def safe(name: str, type: str, longest: int = 200) -> str:
    """The last part of `name`, without what harms or misleads, in at most `longest` code points, never empty.

    A picture, film, sound or PDF ends in what its kind ends in, so that `x.png.html` is no page when it is saved.
    """
    name = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())
    name = re.split(r"[/\\]", _DRIVE.sub("", name, count=1) if _DRIVE.match(name) else name)[-1]
    name = "".join(each for place, each in enumerate(name) if _shown(name, place))
    name = _WRONG.sub("_", _SPACES.sub(" ", name))
    name = name.strip(" .") or UNNAMED
    endings = EXTENSIONS.get(type)
    if endings is not None and name.rpartition(".")[2].lower() not in endings:
        name = f"{name}.{endings[0]}"
    if _RESERVED.match(name):
        name = f"_{name}"
    return _cut(name, longest)


def _shown(name: str, place: int) -> bool:
    """Whether a character stays: no controls, nothing that turns the order of what is read, nothing unseen."""
    each = name[place]
    if each in _JOINERS:
        around = name[max(0, place - 1) : place] + name[place + 1 : place + 2]
        return len(around) == 2 and not around.isascii()
    return unicodedata.category(each) not in ("Cc", "Cf", "Cs") or each in "\t\n"


def _cut(name: str, longest: int) -> str:
    """Short enough, with its ending: that is what computers go by."""
    found = _EXTENSION.search(name)
    ending = found[0] if found is not None and len(found[0]) < longest else ""
    stem = name[: len(name) - len(ending)][: longest - len(ending)]
    room = LONGEST - len(ending.encode())
    stem = stem.encode()[:room].decode("utf-8", "ignore").rstrip(" .")
    return f"{stem or UNNAMED[:longest]}{ending}"[: max(longest, 1)]
