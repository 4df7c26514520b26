from __future__ import annotations

import random
import unicodedata

import pytest
from tests.attachments.hostile import NAMES

from hubbub.attachments.names import EXTENSIONS, LONGEST, safe

TYPES = ("application/octet-stream", "text/html", "image/png", "application/pdf")


@pytest.mark.parametrize(
    ("name", "type", "kept"),
    [
        ("report (final)-2.pdf", "application/pdf", "report (final)-2.pdf"),
        ("../../x", "text/plain", "x"),
        ("..\\..\\x.txt", "text/plain", "x.txt"),
        ("/etc/passwd", "text/plain", "passwd"),
        ("C:\\x.txt", "text/plain", "x.txt"),
        ("C:x.txt", "text/plain", "x.txt"),
        ("a\0.png", "image/png", "a.png"),
        (".htaccess", "text/plain", "htaccess"),
        ("CON", "text/plain", "_CON"),
        ("con.txt", "text/plain", "_con.txt"),
        ("com¹ .txt", "text/plain", "_com¹.txt"),
        ("console.txt", "text/plain", "console.txt"),
        ("a\r\nb: c", "text/plain", "a b_ c"),
        ("x.png.html", "image/png", "x.png.html.png"),
        ("x.html", "image/jpeg", "x.html.jpg"),
        ("cat.JPEG", "image/jpeg", "cat.JPEG"),
        ("x.html", "text/html", "x.html"),
        ("photo\u202egpj.exe", "application/octet-stream", "photogpj.exe"),
        ("x\u200b.exe", "application/octet-stream", "x.exe"),
        ("x.html::$DATA", "text/html", "x.html__$DATA"),
        ("name. . ", "text/plain", "name"),
        ("  ", "text/plain", "file"),
        ("...", "image/png", "file.png"),
        ("dir/", "text/plain", "file"),
        ("\ud800", "text/plain", "_"),
        ("ünïcödé.txt", "text/plain", "ünïcödé.txt"),
        ("u\u0308.txt", "text/plain", "ü.txt"),
        ("👩\u200d👩\u200d👧.png", "image/png", "👩\u200d👩\u200d👧.png"),
        ("می\u200cخواهم.txt", "text/plain", "می\u200cخواهم.txt"),
        ("a\u200db.txt", "text/plain", "ab.txt"),
    ],
)
def test_a_name_is_made_safe(name: str, type: str, kept: str) -> None:
    assert safe(name, type) == kept
    assert safe(kept, type) == kept


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("name", NAMES)
def test_no_name_harms(name: str, type: str) -> None:
    _check(safe(name, type), type)


def test_no_name_that_chance_makes_harms() -> None:
    rng = random.Random(6)
    for _ in range(2_000):
        pool = rng.choice([range(128), range(0x110000), [0x202E, 0x2F, 0x5C, 0x2E, 0x41, 0x1F469, 0x200D]])
        name = "".join(chr(rng.choice(pool)) for _ in range(rng.choice([1, 3, 10, 500])))
        type = rng.choice(TYPES)
        _check(safe(name, type, 200), type)


def _check(name: str, type: str) -> None:
    assert 1 <= len(name) <= 200
    assert len(name.encode()) <= LONGEST
    assert not set(name) & set('<>:"/\\|?*\r\n\t')
    assert not any(unicodedata.category(each) in ("Cc", "Cs") for each in name)
    assert not any(each in name for each in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200b\ufeff")
    assert name == name.strip(" .")
    assert name.partition(".")[0].strip().upper() not in ("CON", "PRN", "AUX", "NUL", "COM1", "LPT9")
    if type in EXTENSIONS:
        assert name.rpartition(".")[2].lower() in EXTENSIONS[type]


def test_a_long_name_keeps_its_ending() -> None:
    assert safe("x" * 300 + ".txt", "text/plain", 20) == "x" * 16 + ".txt"
    assert safe("ü" * 300 + ".txt", "text/plain").endswith("ü.txt")
    assert len(safe("👩" * 300 + ".txt", "text/plain").encode()) <= LONGEST
    assert safe("x." + "y" * 300, "text/plain", 5) == "x.yyy"
