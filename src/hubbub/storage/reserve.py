"""Room on the disk that is kept for the day on which there is none."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Reserve:
    """A file of `size` bytes, given up when the disk is full so that a database can be tidied, and made again when
    there is room. Blocks: not for the event loop. A size of 0: there is none."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self.held = not size

    def take(self) -> bool:
        """Whether it is held now. Raises OSError for what is not a matter of room."""
        if self.held:
            return True
        descriptor = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, self.size)
            if os.fstat(descriptor).st_size > self.size:
                os.ftruncate(descriptor, self.size)
            self.held = True
        except OSError as error:
            if error.errno not in FULL:
                raise
            # What it got is somebody else's to use.
            os.unlink(self.path)
        finally:
            os.close(descriptor)
        return self.held

    def give_up(self) -> None:
        """Give the room to whoever needs it. Nothing if it is not held."""
        if self.size and self.held:
            self.held = False
            with suppress(FileNotFoundError):
                os.unlink(self.path)
