"""What tells publications from each other: ids that nobody else makes, and digests by which a repeat is known."""

from __future__ import annotations

import hashlib
import secrets
import string
from collections.abc import Iterator
from itertools import chain, count, product

from hubbub.model import Publication

DIGITS = string.digits + string.ascii_lowercase


def ids() -> Iterator[str]:
    """Short ids without end that no other process makes: a random prefix and a counter in base 36."""
    prefix = "".join(secrets.choice(DIGITS) for _ in range(8))
    counters = chain.from_iterable(product((prefix,), *[DIGITS] * length) for length in count(3))
    return map("".join, counters)


def digest_of(push: Publication) -> bytes:
    """Equal exactly for equal channel, event and bytes of data."""
    digest = hashlib.blake2b(
        f"{len(push.channel)}:{push.channel}{len(push.event)}:{push.event}".encode(), digest_size=16
    )
    digest.update(push.data)
    return digest.digest()


def digest_of_key(channel: str, key: str) -> bytes:
    """What stands for an idempotency key, which is one of the channel's."""
    return hashlib.blake2b(f"{len(channel)}:{channel}{key}".encode(), digest_size=16).digest()
