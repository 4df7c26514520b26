"""Telling many users at once, each in its own inbox."""

from __future__ import annotations

from collections.abc import Sequence

from hubbub.chat.ledger import Ledger, Notice


def tell_all(ledger: Ledger, notices: Sequence[Notice]) -> None:
    """As `Ledger.tell` for each. Those who are no users are left out."""
    ledger.tell_all(notices)
