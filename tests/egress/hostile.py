"""Hostile URLs from a seed: what leads inside, in all the disguises that we know of."""

from __future__ import annotations

import random
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

INSIDE = (
    *(
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",
        "10.0.0.5",
        "10.255.1.1",
        "172.16.3.4",
        "172.31.0.1",
        "192.168.1.1",
    ),
    *(
        "169.254.169.254",
        "100.64.0.7",
        "100.100.100.200",
        "192.0.0.192",
        "198.18.0.1",
        "168.63.129.16",
        "224.0.0.1",
    ),
    *("255.255.255.255", "240.1.2.3"),
)
INSIDE_6 = (
    "::1",
    "::",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "100::1",
    "64:ff9b:1::1",
)
DIGITS = ("０１２３４５６７８９", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗", "٠١٢٣٤٥٦٧٨٩")
DOTS = ("。", "．", "｡", "%2e", "․")
SCHEMES = ("http", "https", "HTTP", "hTTps")
OTHERS = (
    "file",
    "gopher",
    "dict",
    "ftp",
    "ldap",
    "tftp",
    "jar",
    "netdoc",
    "data",
    "javascript",
    "ws",
    "unix",
)


def hostile_urls(seed: int, count: int) -> Iterator[str]:
    found = random.Random(seed)
    for _ in range(count):
        yield _url(found)


def inside(found: random.Random) -> str:
    """An address that is not public."""
    return found.choice((*INSIDE, *INSIDE_6))


def _url(found: random.Random) -> str:
    host = found.choice((_numbers, _six, _disguised, _named, _confusing))(found)
    scheme = found.choice(SCHEMES) if found.random() < 0.9 else found.choice(OTHERS)
    port = found.choice(("", "", "", ":80", ":443", ":6379", ":5432", ":22", ":0", ":65616", ":８０"))
    path = found.choice(
        (
            "",
            "/",
            "/latest/meta-data/",
            "/?u=http://ok.example/",
            "#@ok.example",
            "/\r\nHost: x",
            "/%0d%0aX: y",
        )
    )
    slashes = "://" if found.random() < 0.95 else found.choice((":", ":/", ":///", ":\\\\", "://\\", ":////"))
    return f"{scheme}{slashes}{host}{port}{path}"


def _numbers(found: random.Random) -> str:
    address = IPv4Address(found.choice(INSIDE))
    a, b, c, d = address.packed
    whole = int(address)
    return found.choice(
        (
            str(address),
            str(whole),
            hex(whole),
            f"0{whole:o}",
            ".".join(map(hex, address.packed)),
            ".".join(f"0{each:o}" for each in address.packed),
            ".".join(f"{each:03}" for each in address.packed),
            f"{a}.{b}.{c << 8 | d}",
            f"{a}.{b << 16 | c << 8 | d}",
            f"0x{a:x}.{b}.0{c:o}.{d}",
            f"{a}.{b}.{c}.{d}.",
            f"{whole + (1 << 32)}",
            f"{a}.{b}.{c}.{d + 256}",
        )
    )


def _six(found: random.Random) -> str:
    four = IPv4Address(found.choice(INSIDE))
    n = int(four)
    return found.choice(
        (
            f"[{found.choice(INSIDE_6)}]",
            f"[::ffff:{four}]",
            f"[::ffff:{n >> 16:x}:{n & 0xFFFF:x}]",
            f"[::{four}]",
            f"[64:ff9b::{n >> 16:x}:{n & 0xFFFF:x}]",
            f"[64:ff9b::{four}]",
            f"[2002:{n >> 16:x}:{n & 0xFFFF:x}::1]",
            f"[2001:0:{n >> 16:x}:{n & 0xFFFF:x}::1]",
            f"[2606:4700::5efe:{four}]",
            f"[{IPv6Address(0xFFFF << 32 | n).exploded}]",
            f"[::1%25{found.choice(('lo', 'eth0', '1'))}]",
            f"[fe80::{n & 0xFFFF:x}%eth0]",
            "[::1].example",
            "::1",
        )
    )


def _disguised(found: random.Random) -> str:
    digits, dot = found.choice(DIGITS), found.choice((".", *DOTS))
    text = found.choice(INSIDE)
    return "".join(dot if each == "." else digits[int(each)] for each in text)


def _named(found: random.Random) -> str:
    """Names that DNS has for addresses inside, at once or later."""
    return found.choice(("private", "both", "rebinding", "redirecting", "looping", "mapped")) + found.choice(
        (".example", ".EXAMPLE", ".example.")
    )


def _confusing(found: random.Random) -> str:
    ok, bad = "ok.example", found.choice((*INSIDE, "private.example", "localhost"))
    return found.choice(
        (
            f"{ok}@{bad}",
            f"{ok}:80@{bad}",
            f"{bad}@{ok}",
            f"{bad}\\@{ok}",
            f"{ok}\\@{bad}",
            f"{ok}＃@{bad}",
            f"{ok}？@{bad}",
            f"{ok}／@{bad}",
            f"{ok}%00{bad}",
            f"{ok}%20{bad}",
            f"{ok}\t{bad}",
            f"{bad}\x00.{ok}",
            f"{bad}#{ok}",
            f"{bad}?{ok}",
            f"@{bad}",
            f"{bad};{ok}",
            f"{ok}&@{bad}",
            f"{bad}\u200b",
            "localhost\u3002",
            "ⓛocalhost",
            "localhost",
            "LOCALHOST.",
        )
    )
