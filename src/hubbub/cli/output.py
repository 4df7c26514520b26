"""How commands speak: problems in two lines, text that fits the terminal, durations in words."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap

FAILED = 2
"""The exit status of a command that could not do what it was asked."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class Problem(Exception):
    """What is wrong, in one line, and what to do next, in another."""

    def __init__(self, what: str, advice: str = "", *, status: int = FAILED) -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice
        self.status = status


def report(problem: Problem) -> int:
    """Say it on standard error; the answer is the exit status."""
    red, dim, off = ("\x1b[1;31m", "\x1b[2m", "\x1b[0m") if coloured(sys.stderr) else ("", "", "")
    print(f"{red}error:{off} {wrapped(problem.what, 7)}", file=sys.stderr)
    if problem.advice:
        advice = problem.advice
        if advice[1:2].islower():  # a sentence, and not a setting or a command
            advice = advice[0].lower() + advice[1:]
        print(f"{dim} next:{off} {wrapped(advice, 7)}", file=sys.stderr)
    return problem.status


def coloured(stream: object) -> bool:
    """Whether to colour: a terminal, and nobody who asked not to (no-color.org)."""
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty()) and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def wrapped(text: str, indent: int) -> str:
    """`text` filled to the terminal's width behind a label of `indent` columns; untouched where nobody looks."""
    if not sys.stderr.isatty():
        return text
    width = min(shutil.get_terminal_size().columns, 100) - indent
    lines = textwrap.wrap(text, max(width, 20), break_long_words=False, break_on_hyphens=False)
    return ("\n" + " " * indent).join(lines)


def seconds(text: str) -> float:
    """`90`, `90s`, `15m`, `1h`, `1h30m`, `7d`. Raises ValueError."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration, such as 90s, 15m, 1h30m or 7d")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def words(duration: float) -> str:
    """Seconds as people say them: its two largest units."""
    rest, parts = round(abs(duration)), []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
