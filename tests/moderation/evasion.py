"""Ways to write a word so that a list of words does not have it."""

from __future__ import annotations

from collections.abc import Callable

CYRILLIC = str.maketrans("aeopcxysijhkmtb", "аеорсхуѕіјһкмтЬ")
GREEK = str.maketrans("aoiuvpkt", "αοιυνρκτ")
LEET = str.maketrans("aeiostgbz", "431057982")
SIGNS = str.maketrans("asilt", "@$!|+")


def _each(sign: str) -> Callable[[str], str]:
    return lambda word: "".join(letter + sign for letter in word)


def _between(sign: str) -> Callable[[str], str]:
    return lambda word: sign.join(word)


def _moved(first: int) -> Callable[[str], str]:
    return lambda word: "".join(chr(first + ord(letter) - ord("a")) for letter in word)


WAYS: dict[str, Callable[[str], str]] = {
    "as it is": lambda word: word,
    "capitals": str.upper,
    "zero width space": _between("\u200b"),
    "zero width joiner": _between("\u200d"),
    "word joiner": _between("\u2060"),
    "soft hyphen": _between("\u00ad"),
    "byte order mark": _between("\ufeff"),
    "variation selectors": _each("\ufe0f"),
    "tags": _between("\U000e0061"),
    "turned around": lambda word: "\u202d" + word + "\u202c",
    "hangul filler": _between("\u3164"),
    "one accent": _each("\u0301"),
    "heaps of accents": _each("\u0301\u0316\u0334\u0489" * 5),
    "struck through": _each("\u0336"),
    "enclosed": _each("\u20dd"),
    "cyrillic": lambda word: word.translate(CYRILLIC),
    "greek": lambda word: word.translate(GREEK),
    "full width": _moved(0xFF41),
    "bold": _moved(0x1D41A),
    "script": _moved(0x1D4EA),
    "double struck": _moved(0x1D552),
    "monospace": _moved(0x1D68A),
    "in circles": _moved(0x24D0),
    "in parentheses": _moved(0x249C),
    "in squares": _moved(0x1F130),
    "in dark circles": _moved(0x1F150),
    "in dark squares": _moved(0x1F170),
    "flags": _moved(0x1F1E6),
    "digits": lambda word: word.translate(LEET),
    "signs": lambda word: word.translate(SIGNS),
    "digits in capitals": lambda word: word.upper().translate(str.maketrans("EIO", "310")),
    "spaced": _between(" "),
    "widely spaced": _between("   "),
    "no-break spaces": _between("\u00a0"),
    "dots": _between("."),
    "dashes": _between("-"),
    "underscores": _between("_"),
    "stars": _between("*"),
    "emoji": _between("🔥"),
    "lines": _between("\n"),
    "one dash": lambda word: word[:2] + "-" + word[2:],
    "drawn out": lambda word: word[0] + word[1] * 9 + word[2:],
    "drawn out in capitals": lambda word: (word[0] + word[1] * 3 + word[2:]).upper(),
    "exclaimed": lambda word: word + "!!1!",
    "quoted": lambda word: f"«{word}»",
    "in markdown": lambda word: f"**{word}**",
    "cyrillic and zero width": lambda word: "\u200b".join(word.translate(CYRILLIC)),
    "digits and accents": lambda word: "".join(sign + "\u0301" for sign in word.translate(LEET)),
}
"""By name, from a word in small Latin letters."""
