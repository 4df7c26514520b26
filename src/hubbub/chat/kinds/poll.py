"""The kind `poll`: a question and its options. Who votes is in `chat/polls.py`. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from hubbub.chat import text
from hubbub.chat.kinds.base import Kind, More, decoded, encode, part_of, wrong
from hubbub.chat.kinds.items import Item, keep, revise
from hubbub.chat.model import Annotations, PollOption, PollState
from hubbub.config.sections import LimitsConfig

LEAST = 2
"""Options."""
CLOSE = "poll.close"
"""As the agenda calls it."""
LATEST = 1e11


class PollPart(
    Struct, frozen=True, tag="poll", tag_field="type", forbid_unknown_fields=True, omit_defaults=True
):
    """`multiple`: one may vote for several options, `max_votes` at the most. `results`: when the counts are told:
    always, to those who have voted, or to everybody when the poll is closed. `anonymous`: nobody learns who has voted.
    `closes`: when it closes by itself (Unix seconds)."""

    question: str
    options: tuple[Item, ...]
    multiple: bool = False
    max_votes: Annotated[int, Meta(ge=2, le=2**53)] | None = None
    anonymous: bool = False
    results: Literal["always", "after_vote", "closed"] = "always"
    closes: Annotated[float, Meta(gt=0, le=LATEST)] | None = None

    @property
    def most(self) -> int:
        """Options that one may vote for."""
        return (self.max_votes or len(self.options)) if self.multiple else 1

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(item.id or "" for item in self.options)


_decode = msgspec.json.Decoder(PollPart).decode


def poll_in(parts: Sequence[Raw]) -> PollPart | None:
    """The poll of a message, if it has one. `parts` were checked when they came."""
    return part_of(parts, "poll", _decode)


def untouched(poll: PollPart) -> PollState:
    """A poll in which nobody has voted."""
    return PollState(tuple(map(PollOption, poll.ids)) if poll.results == "always" else ())


def _check(raw: bytes, field: str, allowed: LimitsConfig) -> tuple[bytes, str]:
    part: PollPart = decoded(_decode, raw, field)
    question = text.text(part.question, f"{field}.question")
    options, said = keep(part.options, f"{field}.options", LEAST, "poll_options", allowed)
    if part.max_votes is not None and not part.multiple:
        raise wrong(f"{field}.max_votes", "is for polls with `multiple`")
    return encode(replace(part, question=question, options=options)), "\n".join((question, *said))


def _revise(raw: bytes, field: str, old: bytes, version: int) -> bytes:
    part: PollPart = decoded(_decode, raw, field)
    return encode(replace(part, options=revise(part.options, _decode(old).options, version)))


def _forwarded(raw: bytes) -> bytes:
    return encode(replace(_decode(raw), closes=None))


def _text(raw: bytes) -> str:
    part = _decode(raw)
    return "\n".join((part.question, *(item.text for item in part.options)))


def _more(raw: bytes) -> More:
    part = _decode(raw)
    due = () if part.closes is None else ((CLOSE, part.closes),)
    return More(Annotations(poll=untouched(part)), needs="poll", due=due)


POLL = Kind(_check, _text, _more, alone=True, revise=_revise, forwarded=_forwarded)
