"""A process that writes until it is killed. Prints what was acknowledged: number and seq, a line each."""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

from tests.storage.sqlite_case import make_store, nobody

from hubbub.testing.contracts.store_case import APPEND


async def main(path: Path, run: str) -> None:
    store = make_store(path)
    await store.start(len, nobody)
    numbers = count()

    async def writing() -> None:
        for number in numbers:
            seq = await store.write(APPEND, ("log", f"{run}.{number}"), "log")
            os.write(1, f"{run}.{number} {seq}\n".encode())

    await asyncio.gather(*[writing() for _ in range(50)])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
