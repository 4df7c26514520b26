"""Tables, facts and times for people at a terminal. What users have written is shown without what moves the cursor."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from hubbub.cli.output import coloured

GAP = "  "
NARROWEST = 8
"""Columns that a column keeps when there is not room enough."""
MONTH = 30 * 86_400
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    nothing: str,
    *,
    numbers: Sequence[str] = (),
    cut: Sequence[str] = (),
) -> None:
    """Print `rows` under `head`; `nothing` where there are none. The columns `numbers` stand at the right; on a
    terminal that is too narrow the columns `cut` are shortened: never ids, which are to be copied."""
    if not rows:
        print(nothing)
        return
    lines = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(head, *lines, strict=True)]
    if sys.stdout.isatty():
        room = shutil.get_terminal_size().columns - len(GAP) * (len(head) - 1)
        _narrow(widths, [head.index(name) for name in cut], room)
    right = [name in numbers for name in head]
    bold, off = ("\x1b[1m", "\x1b[0m") if coloured(sys.stdout) else ("", "")
    print(f"{bold}{_line(head, widths, right)}{off}")
    for line in lines:
        print(_line(line, widths, right))


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one pair a line; those whose value is None are left out."""
    shown = [(name, plain(value)) for name, value in pairs if value is not None]
    longest = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        print(f"{name:<{longest}}{GAP}{value}")


def lines(entries: Iterable[dict[str, Any]]) -> None:
    """Print a JSON object a line."""
    for each in entries:
        print(json.dumps(each, ensure_ascii=False))


def moment(when: float | None, never: str = "") -> str:
    """Unix seconds as the time of this place, to the minute."""
    if when is None:
        return never
    if when >= 9e15:
        return "for good"
    return datetime.fromtimestamp(when).strftime("%Y-%m-%d %H:%M")


def ago(when: float | None, never: str = "") -> str:
    """Unix seconds as how long ago that was or how soon it is, in few letters; what is a month away as its day."""
    if when is None:
        return never
    seconds = time.time() - when
    if abs(seconds) >= MONTH:
        return moment(when).partition(" ")[0] if when < 9e15 else "for good"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if abs(seconds) >= length:
            count = round(abs(seconds) / length)
            return f"{count} {unit} ago" if seconds > 0 else f"in {count} {unit}"
    return "now"


def size(count: float) -> str:
    """Bytes in the largest unit of which there is one."""
    place = 0
    while count >= 1024 and place < len(UNITS) - 1:
        count, place = count / 1024, place + 1
    return f"{count:.{0 if place == 0 else 1}f} {UNITS[place]}"


def said(parts: Iterable[dict[str, Any]]) -> str:
    """What a message says, or of which types its parts are."""
    return " ".join(str(part.get("text") or f"[{part.get('type')}]") for part in parts)


def plain(value: object) -> str:
    """As text on one line: neither line breaks nor what a terminal would obey."""
    text = " ".join(f"{value:,}".split() if isinstance(value, int) else str(value).split())
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def width(text: str) -> int:
    """Columns that it takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _narrow(widths: list[int], places: Sequence[int], room: int) -> None:
    """Take from the widest of the columns at `places` until all fit, or these are as narrow as they may be."""
    while sum(widths) > room:
        widest = max(places, key=lambda place: widths[place], default=None)
        if widest is None or widths[widest] <= NARROWEST:
            return
        widths[widest] -= 1


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    shown = []
    for cell, have, at_right in zip(cells, widths, right, strict=True):
        cut = _cut(cell, have)
        space = " " * (have - width(cut))
        shown.append(space + cut if at_right else cut + space)
    return GAP.join(shown).rstrip()


def _cut(text: str, room: int) -> str:
    if width(text) <= room:
        return text
    while width(text) > room - 1:
        text = text[:-1]
    return text + "…"
