"""Unicode on its way in: normalised before it is checked, so that what was checked is what is kept. Pure.

Normalisation is that of UAX #15. A name is shown as somebody's or something's, so it gets compatibility normalisation
(NFKC) and must show all that it is made of (Unicode TR 36, section 2); a text is kept as it was meant (NFC).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from hubbub.errors import ErrorCode, HubbubError

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL_IN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_HIDDEN_IN_NAME = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # controls
    "\u2028\u2029"  # ends of lines
    "\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u2060-\u206f\ufeff\ufff9-\ufffb"  # not seen, or turn the direction
    "\u202a-\u202e"  # turn the direction of what follows
    "\ue000-\uf8ff\U000f0000-\U0010ffff"  # private use
    "\U000e0000-\U000e001f]"
)
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that look like nothing."""
MARKS = 8
"""Combining marks that may stand on one character of a name; no script needs as many."""


def text(value: str, field: str) -> str:
    """`value` in NFC. Raises VALIDATION_FAILED if it is blank, or holds a lone surrogate or a control character other
    than tab and line ends."""
    found = _normal("NFC", value, field)
    if (bad := _CONTROL_IN_TEXT.search(found)) is not None:
        _refuse(field, f"it has the control character {_name(bad[0])}")
    if not found or found.isspace():
        _refuse(field, "it is empty")
    return found


def name(value: str, field: str) -> str:
    """`value` in NFKC, without spaces at its ends. Raises VALIDATION_FAILED if nothing of it can be seen, or something
    cannot: control characters, those that turn the direction of writing, and heaps of combining marks. (The joiners,
    without which Persian and families of emoji cannot be written, may stand between what they join.)"""
    found = _normal("NFKC", value, field).strip()
    if (bad := _HIDDEN_IN_NAME.search(found)) is not None:
        _refuse(field, f"it has the character {_name(bad[0])}, which cannot be seen")
    if not any(_seen(character) for character in found):
        _refuse(field, "it is empty")
    if found[0] in "\u200c\u200d" or found[-1] in "\u200c\u200d":
        _refuse(field, "it begins or ends with a joiner")
    marks = 0
    for character in found:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if marks > MARKS:
            _refuse(field, f"it has more than {MARKS} combining marks on one character")
    return found


def size(value: str) -> int:
    """Bytes of UTF-8."""
    return len(value) if value.isascii() else len(value.encode())


def _normal(form: Literal["NFC", "NFKC"], value: str, field: str) -> str:
    if value.isascii():
        return value
    if _SURROGATE.search(value) is not None:
        _refuse(field, "it has a lone surrogate")
    return unicodedata.normalize(form, value)


def _seen(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNPS" and character not in _BLANK


def _name(character: str) -> str:
    return f"U+{ord(character):04X}"


def _refuse(field: str, why: str) -> None:
    raise HubbubError(ErrorCode.VALIDATION_FAILED, f"{field}: {why}", field=field)
