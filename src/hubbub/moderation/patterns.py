"""Regular expressions of administrators, in time that is linear in the text (RE2). Pure.

RE2's syntax is that of Python's `re` without what needs backtracking: no look-around, no references back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from unicodedata import category, normalize

import re2

from hubbub.moderation.base import Span
from hubbub.moderation.folding import IGNORED

SIZE = 5_000
"""Instructions of one pattern: what a byte of text costs at the most."""
MEMORY = 4 << 20
BYTE = re.compile(r"(?<!\\)(?:\\\\)*\\C")
MOST = 1_000
"""Places of one pattern in one text."""


class Pattern:
    """Raises ValueError for what RE2 does not take, what is too large, and what matches nothing at all ("")."""

    def __init__(self, pattern: str, *, ignore_case: bool = True) -> None:
        if BYTE.search(pattern) is not None:
            raise ValueError("\\C (a byte) is not taken: texts are of characters")
        options = re2.Options()
        options.log_errors = False
        options.max_mem = MEMORY
        options.case_sensitive = not ignore_case
        try:
            self._compiled = re2.compile(pattern, options)
        except re2.error as error:
            said = error.args[0] if error.args else ""
            raise ValueError(
                said.decode(errors="replace") if isinstance(said, bytes) else str(said)
            ) from None
        self.size: int = self._compiled.programsize
        if self.size > SIZE:
            raise ValueError(f"it is too large: {self.size} instructions of {SIZE}")
        if self._compiled.search("") is not None:
            raise ValueError("it matches a text that has nothing in it")

    def matches(self, seen: Seen) -> bool:
        return self._compiled.search(seen.original) is not None or (
            seen.bare is not None and self._compiled.search(seen.bare) is not None
        )

    def find(self, seen: Seen) -> list[Span]:
        """Where it is in the text (`MOST` places), as it was written and as it is seen."""
        spans = [
            match.span()
            for match, _ in zip(self._compiled.finditer(seen.original), range(MOST), strict=False)
        ]
        if seen.bare is not None:
            for match, _ in zip(self._compiled.finditer(seen.bare), range(MOST), strict=False):
                begin, end = match.span()
                if begin < end:
                    spans.append((seen.places[begin], seen.places[end - 1] + 1))
        return [span for span in spans if span[0] < span[1]]


class Seen:
    """A text as it was written, and (if that differs) as it is seen: without what has no width, and in plain forms of
    letters and signs. `places` are those of `bare` in the original."""

    def __init__(self, text: str) -> None:
        self.original = text
        self.bare: str | None = None
        self.places: Sequence[int] = ()
        if not text.isascii():
            self.bare = text.translate(SEEN)
            if self.bare == text:
                self.bare = None
            else:
                self.places = [at for at, sign in enumerate(text) for _ in SEEN[ord(sign)]]


class _Seen(dict[int, str]):
    def __missing__(self, code: int) -> str:
        sign = chr(code)
        hidden = category(sign) == "Cf" or sign in IGNORED or "\ufe00" <= sign <= "\ufe0f"
        found = self[code] = "" if hidden else normalize("NFKC", sign) if sign != "。" else "."
        return found


SEEN = _Seen()
