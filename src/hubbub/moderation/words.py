"""Finding the words of block lists in a text, whatever disguises them. Pure.

All words are looked for at once (Aho-Corasick) in the folded text; what is found there is looked at closer. A word of a
list is a word or a phrase; it is found as a whole, and with `*` before or after it also within others. Scripts that
write without spaces know no wholes. What has no letters (an emoji) is found as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from unicodedata import category

from ahocorasick_rs import AhoCorasick
from msgspec import Struct

from hubbub.moderation.base import Span
from hubbub.moderation.folding import (
    FINER,
    FIRST,
    FOLDED,
    LETTERS,
    folded,
    foreign,
    genuine,
    plain,
    spaceless,
)
from hubbub.moderation.lookalikes import LEET

LENGTH = 100
"""Code points of a word."""
MOST = 1_000
"""Words that are found in one text; what masks more of them refuses the message."""
SIGNS = re.compile(r"[0-9@$!|+€¢¥\U0001f1e6-\U0001f1ff]")
"""What may stand for a letter, and may be none."""
DROPPED = re.compile(r"(?<=\w)(?:[^\w\s.,/:;?!@$|+&]|_)+(?=\w)")
"""What within a word may be there to hide it."""
SPACED = re.compile(
    r"(?<!\w)(?:[\w!$@|+][^\w!$@|+]{1,4}){2,}[\w!$@|+](?!\w)|(?<!\w)(?:\w[\W_]{1,4}){2,}\w(?!\w)"
)
"""L e t t e r s that stand by themselves."""
WHOLE = 4
"""Letters of a word from which on it is found also in the midst of spaced letters."""
STRETCHED = 3
"""Times that a letter must come to count as one that was drawn out: "shiiit"."""
DRAWN_OUT = re.compile(r"([^ ])\1\1")
RUN = re.compile(r"(.)\1+", re.DOTALL)
RUNS = re.compile(r"(.)\1*", re.DOTALL)
SPACES = re.compile("  +")


class Hit(Struct, frozen=True):
    """A word that was found, the lists that it is in, and where."""

    word: str
    lists: tuple[str, ...]
    span: Span


class _Word(Struct):
    word: str
    plain: str
    letters: str
    open_before: bool
    open_after: bool
    digits: bool
    lists: list[str]


def check(word: str) -> str:
    """A word as it is kept. Raises ValueError, saying what is wrong with it."""
    kept = " ".join(word.split())
    bare = kept.strip("*").strip()
    if not bare:
        raise ValueError("it is empty")
    if len(kept) > LENGTH:
        raise ValueError(f"it has more than {LENGTH} characters")
    if "*" in bare and folded(bare).strip():
        raise ValueError("`*` may stand before and after it only")
    return kept


class Words:
    """The words of all lists. Building takes some 40 µs a word; a message of 100 letters some 15."""

    def __init__(self, lists: Mapping[str, Sequence[str]]) -> None:
        entries: dict[tuple[str, str], _Word] = {}
        literals: dict[str, list[str]] = {}
        for name, words in lists.items():
            for word in words:
                bare = word.strip("*").strip()
                if not folded(bare).strip():
                    literals.setdefault(bare, []).append(name)
                    continue
                for form in _forms(bare):
                    entry = _entry(word, bare, form)
                    known = entries.setdefault((word, entry.letters), entry)
                    if name not in known.lists:
                        known.lists.append(name)
        self._words = _Finder(entries.values(), _classed)
        self._drawn_out = _Finder(entries.values(), lambda letters: RUN.sub(r"\1", _classed(letters)))
        self._literals = list(literals.items())
        self._literal = AhoCorasick(list(literals)) if literals else None

    def find(self, text: str) -> list[Hit]:
        """All words that are found (`MOST` of them), in no certain order."""
        found: dict[tuple[str, Span], Hit] = {}
        if self._words and (said := text.translate(FOLDED)).strip():
            self._look(found, text, None, text, said)
            if DROPPED.search(text) is not None:
                joined, places = _without(text)
                if len(joined) < len(text):
                    self._look(found, joined, places, text, joined.translate(FOLDED))
            for match in SPACED.finditer(text):
                self._look_spaced(found, text, match.span())
        if self._literal is not None:
            for index, begin, end in self._literal.find_matches_as_indexes(text, overlapping=True)[:MOST]:
                word, lists = self._literals[index]
                found[word, (begin, end)] = Hit(word, tuple(lists), (begin, end))
        return list(found.values())

    def _look_spaced(self, found: dict[tuple[str, Span], Hit], text: str, span: Span) -> None:
        """For letters that stand by themselves; signs between them may be letters, too."""
        places = [at for at in range(*span) if _written(text[at])]
        if any(category(text[at])[0] == "M" for at in places):  # vowels, where vowels are marks
            return
        plainly = [at for at in places if text[at].isalnum()]
        for some in (places, plainly) if len(plainly) < len(places) else (places,):
            letters = "".join([text[at] for at in some])
            self._look(found, letters, some, text, letters.translate(FOLDED), spaced=True)

    def _look(
        self,
        found: dict[tuple[str, Span], Hit],
        text: str,
        places: Sequence[int] | None,
        whole: str,
        said: str,
        *,
        spaced: bool = False,
    ) -> None:
        """In `text`, which is `said` when folded, and whose signs stand at `places` of the `whole`."""
        if "  " in said:
            said = SPACES.sub(" ", said)
        # A neighbour that is a letter keeps a word from being whole, unless it may be a sign that only looks like one.
        loose = {FOLDED[ord(sign)] for sign in set(SIGNS.findall(text))} if not spaced else None
        spans = self._exactly(text, said, loose)
        if DRAWN_OUT.search(said) is not None and DRAWN_OUT.search(text.translate(FINER)) is not None:
            spans = [*spans, *self._drawn(text, RUN.sub(r"\1", said), loose)]
        for entry, span in spans:
            if _whole(entry, text, span, spaced) and _means(entry, text, span, whole):
                if places is not None:
                    span = (places[span[0]], places[span[1] - 1] + 1)
                found[entry.word, span] = Hit(entry.word, tuple(entry.lists), span)
                if len(found) >= MOST:
                    return

    def _exactly(self, text: str, said: str, loose: Collection[str] | None) -> list[tuple[_Word, Span]]:
        candidates = self._words.look(said, loose)
        places = _places(text, said) if candidates else ()
        found = [(entry, _fits(entry, text, places, begin, end)) for entry, begin, end in candidates]
        return [(entry, span) for entry, span in found if span is not None]

    def _drawn(self, text: str, said: str, loose: Collection[str] | None) -> list[tuple[_Word, Span]]:
        candidates = self._drawn_out.look(said, loose)
        runs = _runs(text) if candidates else []
        found = [(entry, _fits_drawn_out(entry, text, runs, begin, end)) for entry, begin, end in candidates]
        return [(entry, span) for entry, span in found if span is not None]


class _Finder:
    """Looks for words, each in the form that `shape` gives to its letters."""

    def __init__(self, entries: Iterable[_Word], shape: Callable[[str], str]) -> None:
        patterns: dict[str, list[_Word]] = {}
        for entry in entries:
            patterns.setdefault(shape(entry.letters), []).append(entry)
        self._entries = list(patterns.values())
        self._automaton = AhoCorasick(list(patterns)) if patterns else None

    def __bool__(self) -> bool:
        return self._automaton is not None

    def look(self, letters: str, loose: Collection[str] | None) -> list[tuple[_Word, int, int]]:
        """What may be there: words, and from where to where. `loose` are letters that may be signs after all; None:
        words are looked for within others, too."""
        if self._automaton is None or not letters:
            return []
        found: list[tuple[_Word, int, int]] = []
        for index, begin, end in self._automaton.find_matches_as_indexes(letters, overlapping=True):
            before = loose is None or not begin or _ends(letters[begin - 1], loose)
            after = loose is None or end == len(letters) or _ends(letters[end], loose)
            found += [
                (entry, begin, end)
                for entry in self._entries[index]
                if (before or entry.open_before) and (after or entry.open_after)
            ]
        return found


def _ends(sign: str, loose: Collection[str]) -> bool:
    """Whether a word may end where this is next in the folded text."""
    return sign == " " or sign in loose or sign > "\x7f"


def _forms(bare: str) -> set[str]:
    """A phrase may be written together; and some letters look like one Latin letter when they are small, and like
    another when they are not."""
    forms = {bare, "".join(bare.split())}
    return forms if bare.isascii() else forms | {form.upper() for form in forms} | {bare.title()}


def _entry(word: str, bare: str, form: str) -> _Word:
    letters = "".join(sign if sign in LEET and not sign.isalpha() else LETTERS[ord(sign)] for sign in form)
    return _Word(
        word,
        plain(bare),
        SPACES.sub(" ", letters).strip(),
        word.startswith("*") or spaceless(bare[0]),
        word.endswith("*") or spaceless(bare[-1]),
        not any(sign.isalpha() for sign in bare),
        [],
    )


def _classed(letters: str) -> str:
    return "".join(FIRST.get(letter, letter) for letter in letters)


def _places(text: str, said: str) -> Sequence[int]:
    """For each sign of the folded text the place in `text` that it comes from."""
    if len(said) == len(text) and text.isascii():
        return range(len(text))
    places: list[int] = []
    last = ""
    for at, sign in enumerate(text):
        for letter in FOLDED[ord(sign)]:
            if letter != " " or last != " ":
                places.append(at)
            last = letter
    return places


def _runs(text: str) -> list[list[int]]:
    """The same for the folded text without repetitions: all places of each."""
    runs: list[list[int]] = []
    last = ""
    for at, sign in enumerate(text):
        for letter in FOLDED[ord(sign)]:
            if letter == last:
                runs[-1].append(at)
            else:
                runs.append([at])
                last = letter
    return runs


def _fits(entry: _Word, text: str, places: Sequence[int], begin: int, end: int) -> Span | None:
    """Where the word is in `text`, if it is there letter by letter."""
    if not all(
        letter == " " or _stands_for(text[place], letter)
        for letter, place in zip(entry.letters, places[begin:end], strict=True)
    ):
        return None
    first, last = places[begin], places[end - 1]
    if (begin and places[begin - 1] == first) or (end < len(places) and places[end] == last):
        return None  # it ends within a sign that is several letters: ß, ﬁ
    return first, last + 1


def _fits_drawn_out(entry: _Word, text: str, runs: list[list[int]], begin: int, end: int) -> Span | None:
    """The same with letters that are drawn out."""
    said = [match[0] for match in RUNS.finditer(_classed(entry.letters))]
    at = 0
    first = last = -1
    for place, run in enumerate(said):
        letters = entry.letters[at : at + len(run)]
        at += len(run)
        signs = list(dict.fromkeys(runs[begin + place]))
        if place == 0:
            while len(signs) > len(run) and (entry.open_before or not text[signs[0]].isalpha()):
                signs = signs[1:]
        if place == len(said) - 1:
            while len(signs) > len(run) and (entry.open_after or not text[signs[-1]].isalpha()):
                signs = signs[:-1]
        if letters.strip() and not _drawn_out(letters, [text[each] for each in signs]):
            return None
        first = signs[0] if first < 0 else first
        last = signs[-1]
    return first, last + 1


def _drawn_out(said: str, signs: Sequence[str]) -> bool:
    """Whether signs of one class are the letters `said`, each once, or some of them drawn out."""
    count, length = len(signs), len(said)
    if count == length and all(map(_stands_for, signs, said)):
        return True
    if count < length:
        return "".join(LETTERS[ord(sign)] for sign in signs) == said  # ß, ﬁ
    if count < STRETCHED:
        return False
    at = 0
    for place, letter in enumerate(said):
        if not _stands_for(signs[at], letter):
            return False
        at += 1
        while at < count - (length - place - 1) and _stands_for(signs[at], letter):
            at += 1
    return at == count


def _stands_for(sign: str, letter: str) -> bool:
    return letter in LETTERS[ord(sign)] or letter in LEET.get(sign, "") or sign == letter


def _whole(entry: _Word, text: str, span: Span, spaced: bool) -> bool:
    """Whether it is no part of another word; of spaced letters, that it is all of them or long enough."""
    begin, end = span
    if spaced:
        return len(entry.letters) >= WHOLE or (begin == 0 and end == len(text))
    return (entry.open_before or not _goes_on(text, begin, -1)) and (
        entry.open_after or not _goes_on(text, end - 1, 1)
    )


def _goes_on(text: str, at: int, step: int) -> bool:
    """Whether the word that is at `at` goes on in that direction."""
    inside = text[at]
    at += step
    while 0 <= at < len(text):
        sign = text[at]
        if letters := LETTERS[ord(sign)]:
            # Letters in circles and of flags go on with their like.
            return letters.isalpha() and (sign.isalpha() or not inside.isalpha()) and not spaceless(sign)
        at += step
    return False


def _written(sign: str) -> bool:
    return bool(LETTERS[ord(sign)].strip()) or sign in LEET


def _means(entry: _Word, text: str, span: Span, whole: str) -> bool:
    """Whether what looks like the word is meant to."""
    said = text[span[0] : span[1]]
    if plain(said) == entry.plain:
        return True
    letters = [sign for sign in said if sign.isalpha()]
    if not letters:  # 455 is a number
        return entry.digits or any(not sign.isalnum() for sign in said.strip())
    return not (all(map(foreign, letters)) and genuine(whole))


def _without(text: str) -> tuple[str, list[int]]:
    """The text without what may hide words, and the places of what is left."""
    places: list[int] = []
    at = 0
    for match in DROPPED.finditer(text):
        places.extend(range(at, match.start()))
        at = match.end()
        places.extend(place for place in range(*match.span()) if LETTERS[ord(text[place])].strip())
    places.extend(range(at, len(text)))
    return "".join([text[place] for place in places]), places
