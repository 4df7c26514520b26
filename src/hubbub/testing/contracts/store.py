"""The promises of `hubbub.storage.base.Store`."""

from __future__ import annotations

from hubbub.testing.contracts.store_bulk import BulkContract
from hubbub.testing.contracts.store_reading import ReadingContract
from hubbub.testing.contracts.store_writing import WritingContract


class StoreContract(WritingContract, ReadingContract, BulkContract):
    """Subclass it, implement `open`, and run it with pytest and anyio's plugin."""
