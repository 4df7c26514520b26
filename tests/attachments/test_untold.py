from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from PIL import Image
from tests.attachments.pictures import CAMERA, PLACE, XMP, chunk, exif, image, png, saved, telling

from hubbub.attachments.untold import Broken, untold

LOSSLESS = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}
IN_PLACE = {"TIFF": "image/tiff", "AVIF": "image/avif"}
TYPES = LOSSLESS | IN_PLACE


def opened(data: bytes) -> Image.Image:
    found = Image.open(io.BytesIO(data))
    found.load()
    return found


def position(data: bytes) -> dict[int, Any]:
    return dict(opened(data).getexif().get_ifd(0x8825))


@pytest.mark.parametrize("format", TYPES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_no_position_is_left_and_the_picture_is_the_same(format: str, orientation: int) -> None:
    told = telling(format, orientation)
    kept = untold(told, TYPES[format])
    before, after = opened(told), opened(kept)
    assert PLACE in told
    assert format == "GIF" or position(told)
    assert not position(kept)
    assert PLACE not in kept
    assert b"GPSLatitude" not in kept
    assert before.tobytes() == after.tobytes()
    assert after.getexif().get(0x0112, 1) == before.getexif().get(0x0112, 1)
    if format in LOSSLESS:
        assert CAMERA.encode() not in kept
        assert set(after.getexif()) <= {0x0112}
    if format in ("JPEG", "PNG", "WEBP"):
        assert after.getexif().get(0x0112, 1) == orientation
    assert untold(kept, TYPES[format]) == kept


@pytest.mark.parametrize("format", LOSSLESS)
def test_nothing_stands_behind_the_end(format: str) -> None:
    made = saved(image(), format)
    assert untold(made + b"PK\x03\x04<script>" + made, LOSSLESS[format]) == untold(made, LOSSLESS[format])


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_colours_stay(format: str) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    kept = untold(saved(image(), format, icc_profile=profile, exif=exif()), TYPES[format])
    assert opened(kept).info["icc_profile"] == profile
    cmyk = saved(image().convert("CMYK"), "JPEG")
    assert opened(untold(cmyk, "image/jpeg")).getpixel((0, 0)) == opened(cmyk).getpixel((0, 0))


def test_progressive_pictures_and_those_with_marks_within_stay() -> None:
    for options in ({"progressive": True}, {"restart_marker_blocks": 1}, {"quality": 100, "subsampling": 0}):
        made = saved(image(200, 150), "JPEG", exif=exif(), **options)
        assert opened(untold(made, "image/jpeg")).tobytes() == opened(made).tobytes()


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_what_moves_goes_on_moving(format: str) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green", "blue")]
    told: dict[str, Any] = {} if format == "GIF" else {"exif": exif()}
    made = saved(frames[0], format, save_all=True, append_images=frames[1:], duration=100, loop=0, **told)
    kept = opened(untold(made, TYPES[format]))
    assert getattr(kept, "n_frames", 1) == 3
    assert kept.info["loop"] == 0


def test_a_second_picture_with_a_position_of_its_own_goes() -> None:
    made = saved(image(), "JPEG")
    motion = made + telling("JPEG") + b"\0\0\0\x18ftypmp42" + PLACE
    assert untold(motion, "image/jpeg") == untold(made, "image/jpeg")


@pytest.mark.parametrize("order", ["<", ">"])
def test_positions_within_heic_are_overwritten_where_they_stand(order: str) -> None:
    told = Image.Exif()
    told.endian = order
    told.get_ifd(0x8825)[27] = b"ASCII\0\0\0" + PLACE
    item = told.tobytes()
    heic = b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + b"II*\0MM\0*" + item + XMP + b"pixels"
    kept = untold(heic, "image/heic")
    assert len(kept) == len(heic)
    assert PLACE not in kept
    assert kept.endswith(b"pixels")


BROKEN = {
    "no marker": (b"\xff\xd8\xff\xe0\0\4ab!", "image/jpeg"),
    "a segment too long": (b"\xff\xd8\xff\xe0\xff\xff", "image/jpeg"),
    "a segment too short": (b"\xff\xd8\xff\xe0\0\1", "image/jpeg"),
    "no end": (saved(image(), "JPEG")[:-2], "image/jpeg"),
    "nothing": (b"\xff\xd8", "image/jpeg"),
    "no IEND": (png()[:-12], "image/png"),
    "a chunk too long": (png()[:33] + struct.pack(">I", 2**31) + b"IDAT", "image/png"),
    "GIF without an end": (saved(image(), "GIF")[:-1], "image/gif"),
    "GIF with another block": (saved(image(), "GIF")[:-1] + b"!" + bytes(1), "image/gif"),
    "WebP cut": (saved(image(), "WEBP")[:-4], "image/webp"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_told(name: str) -> None:
    with pytest.raises(Broken):
        untold(*BROKEN[name])


@pytest.mark.parametrize("format", TYPES)
def test_cut_and_turned_pictures_raise_nothing_else(format: str) -> None:
    made = telling(format)
    for end in range(0, len(made), 7):
        for data in (made[:end], made[:end] + b"\xff" + made[end + 1 :]):
            try:
                untold(data, TYPES[format])
            except Broken:
                continue


def test_what_ends_nowhere_takes_no_time() -> None:
    untold(b"II*\0\x08\0\0\0" + b"\1\0\x25\x88\4\0\1\0\0\0\x08\0\0\0\x08\0\0\0", "image/tiff")
    untold(b"ftyp" + b"<x:xmpmeta" * 100_000, "image/avif")
    with pytest.raises(Broken):
        untold(b"\xff\xd8" + b"\xff" * 1_000_000, "image/jpeg")
    assert untold(b"\x89PNG", "image/x-icon") == b"\x89PNG"
    told = png(more=chunk(b"eXIf", b"MM\0*\0\0\0\x08\xff\xff"))
    assert untold(told, "image/png") == png()
