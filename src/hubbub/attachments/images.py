"""The process that looks at one image: `python -m hubbub.attachments.images`. It gets a `Task` and gives a `Picture`.

Who gets into a decoder's memory gets into this process alone: it has no secrets in its environment, little memory, time
and disk, and ends with its image. `attachments/examine.py` starts it, and ends it if it hangs. Pillow is imported here
and nowhere else.
"""

from __future__ import annotations

import contextlib
import io
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from hubbub.attachments.untold import ORIENTATION, Broken, untold

if TYPE_CHECKING:
    from PIL import Image

FORMATS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
}
"""What is decoded; each by the one decoder that it is for."""
UNREAD = ("image/heic", "image/heif")
"""What is not decoded, but gives up its position all the same."""
SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif")
"""What browsers show themselves, so that small ones need no thumbnail."""
THUMBNAIL = "image/webp"
QUALITY = 80
SPARE = 402_653_184
"""Bytes of addresses that Python and Pillow take without an image, with their libraries."""
PIXEL = 20
"""Bytes of addresses for a pixel: as it was decoded, turned, and converted."""
SIDEWAYS = (5, 6, 7, 8)
"""Orientations that change width and height. (Those of TIFF Pillow minds itself.)"""
SLACK = 16_777_216
"""Bytes that the file without what it told may be longer, which it is not."""


class Task(Struct, frozen=True):
    """The file at `path`, of a `type` of `FORMATS` or `UNREAD`. What is to be kept instead is written to `kept`.
    `pixels`: most that are decoded; `sides`: the longest ones of thumbnails; `seconds` of processor time."""

    path: str
    kept: str
    type: str
    pixels: int
    sides: tuple[int, ...]
    seconds: int


class Thumbnail(Struct, frozen=True):
    """A smaller picture, as bytes of `THUMBNAIL`. Sides in pixels."""

    width: int
    height: int
    content: bytes


class Picture(Struct, frozen=True):
    """What an image is: its sides in pixels as it is shown, its thumbnails, whether there is something to be kept
    instead; or why it is `refused`."""

    width: int | None = None
    height: int | None = None
    thumbnails: tuple[Thumbnail, ...] = ()
    replaced: bool = False
    refused: str | None = None


def look(task: Task) -> Picture:
    """Look at an image, here and now."""
    path = Path(task.path)
    data = path.read_bytes()
    try:
        kept = untold(data, task.type)
    except Broken as error:
        return Picture(refused=f"the image cannot be read: {error}")
    found = Picture() if task.type in UNREAD else _decoded(kept, task)
    if kept == data or found.refused is not None:
        return found
    Path(task.kept).write_bytes(kept)
    return msgspec.structs.replace(found, replaced=True)


def _decoded(data: bytes, task: Task) -> Picture:
    from PIL import Image, ImageFile, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # we count ourselves
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with Image.open(io.BytesIO(data), formats=[FORMATS[task.type]]) as image:
            width, height = image.size
            if width * height > task.pixels:
                return Picture(
                    refused=f"the image has more than attachments.image_pixels = {task.pixels} pixels"
                )
            if task.type != "image/tiff" and image.getexif().get(ORIENTATION) in SIDEWAYS:
                width, height = height, width
            longest = max(width, height)
            sides = [each for each in sorted(set(task.sides)) if 0 < each < longest]
            if not sides and task.type not in SHOWN and task.sides:
                sides = [longest]
            if task.type == "image/jpeg" and sides:
                image.draft(None, (sides[-1], sides[-1]))  # not more of it than is needed
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return Picture(width, height, tuple(_thumbnail(image, width, height, each) for each in sides))
    except MemoryError:
        return Picture(refused="the image takes too much memory")
    except Exception as error:  # decoders raise all sorts
        return Picture(refused=f"the image cannot be read: {type(error).__name__}")


def _thumbnail(image: Image.Image, width: int, height: int, side: int) -> Thumbnail:
    """With a longest side of `side`. `image` may have been decoded smaller than `width` and `height`."""
    from PIL import Image

    scale = side / max(width, height)
    wide, high = max(1, round(width * scale)), max(1, round(height * scale))
    seen = "RGBA" if image.has_transparency_data else "RGB"
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
    small = image.convert(seen).resize((wide, high), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=QUALITY, method=4, exif=b"", xmp=b"", icc_profile=profile or b"")
    return Thumbnail(wide, high, buffer.getvalue())


def _confine(task: Task) -> None:
    """Take from this process what an image does not need, for good."""
    size = Path(task.path).stat().st_size
    limits = {
        resource.RLIMIT_CPU: task.seconds,
        resource.RLIMIT_FSIZE: size + SLACK,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_AS: SPARE + 4 * size + PIXEL * task.pixels,
    }
    for limit, most in limits.items():
        with contextlib.suppress(ValueError, OSError):  # macOS knows no limit of addresses
            resource.setrlimit(limit, (most, most))


def main() -> None:
    """Read one task from standard input, and write what was found to standard output, both as MessagePack."""
    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Task)
    _confine(task)
    sys.stdout.buffer.write(msgspec.msgpack.encode(look(task)))


if __name__ == "__main__":
    main()
