"""What chance does to bytes on their way: for the fuzzing of codecs, repeatable by its seed."""

from __future__ import annotations

import random
from collections.abc import Sequence


def mutate(chance: random.Random, raw: bytes, others: Sequence[bytes], inserts: Sequence[bytes]) -> bytes:
    """`raw` with a few bytes flipped, cut, doubled or put in: one of `inserts`, or the end of one of `others`."""
    data = bytearray(raw)
    for _ in range(chance.choice((1, 1, 3))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.randint(1, 5)]
            case 2:
                data[at:at] = data[: chance.randint(0, 20)]
            case 3:
                data[at:at] = chance.choice(inserts)
            case _:
                other = chance.choice(others)
                data[at:at] = other[chance.randrange(len(other) + 1) :]
    return bytes(data)
