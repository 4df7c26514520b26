from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from tests.attachments.pictures import exif, image, png, saved

from hubbub.attachments.images import FORMATS, Picture, Task, look


def looked(
    tmp_path: Path, data: bytes, type: str, pixels: int = 100_000, sides: tuple[int, ...] = (8, 16)
) -> Picture:
    path = tmp_path / "file"
    path.write_bytes(data)
    return look(Task(str(path), str(tmp_path / "kept"), type, pixels, sides, 10))


@pytest.mark.parametrize("type", FORMATS)
def test_sides_and_thumbnails(tmp_path: Path, type: str) -> None:
    found = looked(tmp_path, saved(image(), FORMATS[type]), type)
    assert (found.width, found.height, found.refused) == (40, 30, None)
    assert [(each.width, each.height) for each in found.thumbnails] == [(8, 6), (16, 12)]
    for each in found.thumbnails:
        seen = Image.open(io.BytesIO(each.content))
        assert (seen.format, seen.size) == ("WEBP", (each.width, each.height))
        red, blue = seen.convert("RGB").getpixel((1, 3)), seen.convert("RGB").getpixel((each.width - 2, 3))
        assert isinstance(red, tuple)
        assert isinstance(blue, tuple)
        assert red[0] > 150 > blue[0]
        assert red[2] < 150 < blue[2]


@pytest.mark.parametrize("type", ["image/jpeg", "image/png", "image/webp", "image/tiff", "image/avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_thumbnails_stand_upright(tmp_path: Path, orientation: int, type: str) -> None:
    found = looked(tmp_path, saved(image(), FORMATS[type], exif=exif(orientation)), type)
    turned = orientation >= 5
    assert (found.width, found.height) == ((30, 40) if turned else (40, 30))
    small = Image.open(io.BytesIO(found.thumbnails[1].content)).convert("RGB")
    assert small.size == ((12, 16) if turned else (16, 12))
    assert not small.getexif()
    corner = small.getpixel((1, 1))
    assert isinstance(corner, tuple)
    assert (corner[0] > corner[2]) == (orientation in (1, 4, 5, 6))


def test_what_tells_nothing_stays_as_it_is(tmp_path: Path) -> None:
    assert not looked(tmp_path, png(), "image/png").replaced
    assert not (tmp_path / "kept").exists()
    assert looked(tmp_path, png() + b"more", "image/png").replaced
    assert (tmp_path / "kept").read_bytes() == png()


def test_small_pictures_need_no_thumbnail_unless_browsers_do_not_show_them(tmp_path: Path) -> None:
    assert looked(tmp_path, png(), "image/png").thumbnails == ()
    (only,) = looked(tmp_path, saved(image(7, 5), "BMP"), "image/bmp").thumbnails
    assert (only.width, only.height) == (7, 5)
    assert looked(tmp_path, saved(image(7, 5), "BMP"), "image/bmp", sides=()).thumbnails == ()


def test_pixels_are_counted_before_they_are_decoded(tmp_path: Path) -> None:
    assert looked(tmp_path, png(10, 10), "image/png", pixels=100).refused is None
    refused = looked(tmp_path, png(101, 1), "image/png", pixels=100).refused
    assert refused is not None
    assert "attachments.image_pixels" in refused
    assert looked(tmp_path, png(50_000, 50_000, data=b""), "image/png", pixels=50_000_000).refused
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK", "F"])
def test_all_kinds_of_pixels(tmp_path: Path, mode: str) -> None:
    format = {"CMYK": "JPEG", "F": "TIFF"}.get(mode, "PNG")
    type = next(type for type, each in FORMATS.items() if each == format)
    made = image().convert("L").convert("I;16") if mode == "I;16" else image().convert(mode)
    found = looked(tmp_path, saved(made, format), type)
    assert found.refused is None
    assert len(found.thumbnails) == 2


def test_what_is_clear_stays_clear(tmp_path: Path) -> None:
    made = Image.new("RGBA", (40, 30), (255, 0, 0, 0))
    small = Image.open(io.BytesIO(looked(tmp_path, saved(made, "PNG"), "image/png").thumbnails[0].content))
    assert small.convert("RGBA").getpixel((1, 1))[3] == 0  # type: ignore[index]


def test_long_pictures_have_thin_thumbnails(tmp_path: Path) -> None:
    (thin, _) = looked(tmp_path, png(10_000, 1), "image/png").thumbnails
    assert (thin.width, thin.height) == (8, 1)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    for data in (png(data=b"short"), png()[:20], b"\x89PNG\r\n\x1a\n<script>"):
        refused = looked(tmp_path, data, "image/png").refused
        assert refused is not None
        assert refused.startswith("the image cannot be read")
    assert looked(tmp_path, png(), "image/webp").refused, "by the one decoder that it is for"


def test_what_is_not_decoded_gives_up_its_position(tmp_path: Path) -> None:
    data = b"\0\0\0\x18ftypheic\0\0\0\0heicmif1<x:xmpmeta>here</x:xmpmeta>"
    assert looked(tmp_path, data, "image/heic") == Picture(replaced=True)
    assert b"here" not in (tmp_path / "kept").read_bytes()
