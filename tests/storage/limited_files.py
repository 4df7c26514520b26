"""A process whose files may not grow beyond a limit, until they may. Prints what its writes come to."""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

from tests.storage.sqlite_case import opened, until_refused

from hubbub.errors import ErrorCode
from hubbub.testing.contracts.store_case import APPEND, logged


async def main(path: Path) -> None:
    async with opened(path, reserve=0) as store:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, hard))
        acknowledged, error = await until_refused(store, 500)
        # Its frames may be whole in the log, for all that SQLite says, and be played by who opens it after a crash.
        unknown = (
            error is not None and error.code is ErrorCode.STORE_UNAVAILABLE and "unknown" in error.message
        )
        print("unknown" if unknown else error)
        found = [seq for seq, _ in await store.read(logged("log"))]
        print("same" if found == acknowledged else f"{found} and not {acknowledged}")
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        seq = await store.write(APPEND, ("log", "x" * 20_000))
        print("written" if seq == len(acknowledged) + 1 else seq)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
