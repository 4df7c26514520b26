"""What a known kind of part is, and what its checks are made of. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from hubbub import jsondata
from hubbub.chat import limits, text
from hubbub.chat.model import Annotations, Permission
from hubbub.config.sections import LimitsConfig
from hubbub.errors import ErrorCode, HubbubError

T = TypeVar("T")
encode = msgspec.json.Encoder().encode


Due = tuple[str, float]
"""What is to be done with a message, as the agenda calls it, and when (Unix seconds)."""


class More(Struct, frozen=True):
    """What comes with a part beside what it says. `annotations`: what stands on the message from the beginning;
    `files`: ids of files that it shows; `needs`: the permission to send it, beside `send`; `due`: what the agenda is
    to do with the message."""

    annotations: Annotations | None = None
    files: tuple[str, ...] = ()
    needs: Permission | None = None
    due: tuple[Due, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A known kind of part. `check` gets the part as JSON, the name of its field and the limits; it gives the JSON to
    keep and the text that counts for `limits.text_length`, or raises a HubbubError that names the field. `text` is what
    search finds a part by that was kept. `more` is what comes with a part that `check` has let pass. `alone`: a message
    has at most one of them. `revise` comes before the check of an edit: it gets the new part, the name of its field,
    the kept part that it stands for and the number of the new version, and gives the new part with what must stay of
    the old one. `forwarded` is what of a kept part goes into another conversation."""

    check: Callable[[bytes, str, LimitsConfig], tuple[bytes, str]]
    text: Callable[[bytes], str]
    more: Callable[[bytes], More] | None = None
    alone: bool = False
    revise: Callable[[bytes, str, bytes, int], bytes] | None = None
    forwarded: Callable[[bytes], bytes] | None = None


def nothing(raw: bytes) -> str:
    """The text of a part that is not searched."""
    return ""


def decoded(decode: Callable[[bytes], Any], raw: bytes, field: str) -> Any:
    """Raises VALIDATION_FAILED and INVALID_DATA, for what is in `field`."""
    try:
        return decode(raw)
    except msgspec.ValidationError as error:
        message, path = jsondata.wrong_field(error)
        at = f"{field}.{path}" if path else field
        raise wrong(at, message) from None
    except (ValueError, RecursionError, MemoryError, msgspec.MsgspecError) as error:
        message = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise HubbubError(ErrorCode.INVALID_DATA, f"{field}: {message}", field=field) from None


def part_of(parts: Sequence[Raw], type: str, decode: Callable[[bytes], T]) -> T | None:
    """The first of a message's kept parts that is of a known `type`."""
    begin = b'{"type":"%s",' % type.encode()  # as `encode` makes them
    for part in parts:
        raw = bytes(part)
        if raw.startswith(begin):
            try:
                return decode(raw)
            except msgspec.MsgspecError:  # from before the kind was known
                continue
    return None


def wrong(field: str, message: str) -> HubbubError:
    """VALIDATION_FAILED."""
    return HubbubError(ErrorCode.VALIDATION_FAILED, f"{field}: {message}", field=field)


def short(value: str, field: str, allowed: LimitsConfig) -> str:
    """A label or the like, in NFC. Raises VALIDATION_FAILED and LIMIT_EXCEEDED (`limits.option_length`)."""
    found = text.text(value, field)
    limits.check(allowed, "option_length", len(found), field)
    return found


def foreign(raw: bytes, field: str, allowed: LimitsConfig) -> bytes:
    """JSON that is not ours to change. A line break is only between its tokens, and would end a line of a protocol."""
    if len(raw) > allowed.part_bytes:
        raise limits.exceeded("part_bytes", allowed.part_bytes, field)
    jsondata.check(raw, depth=allowed.json_depth, keys=allowed.json_keys, field=field)
    return raw.replace(b"\n", b" ").replace(b"\r", b" ")
