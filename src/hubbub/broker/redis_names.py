"""What a channel's keys and its pub/sub name are called in Redis."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from urllib.parse import unquote

from msgspec import Struct

CACHED = 65_536
_ESCAPED = str.maketrans({"%": "%25", "{": "%7B", "}": "%7D"})
_GLOB = str.maketrans({character: "\\" + character for character in "\\*?[]^-"})


class Names(Struct, frozen=True, gc=False):
    """Of one channel. All lie in one slot of a Cluster, by what stands in braces. Idempotency keys are put behind
    `used`."""

    channel: str
    meta: str
    stream: str
    used: str


def naming(prefix: str) -> Callable[[str], Names]:
    """How channels are called below `prefix`."""

    @lru_cache(maxsize=CACHED)  # the same channels again and again
    def names(channel: str) -> Names:
        tag = channel.translate(_ESCAPED)
        log = f"{prefix}:log:{{{tag}}}"
        return Names(f"{prefix}:ch:{{{tag}}}", f"{log}:meta", log, f"{log}:used:")

    return names


def glob_of(text: str) -> str:
    """A pattern of Redis for all that begins with `text`."""
    return text.translate(_GLOB) + "*"


def pattern_of(prefix: str, beginning: str) -> str:
    """A pattern for the pub/sub names of channels that begin so."""
    return glob_of(f"{prefix}:ch:{{{beginning.translate(_ESCAPED)}")


def channel_of(prefix: str, name: str) -> str:
    """The channel of a pub/sub name."""
    return unquote(name[len(prefix) + len(":ch:{") : -1])
