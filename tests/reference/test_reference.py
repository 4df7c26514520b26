"""The reference implementation and ours, side by side: the same bytes to both, the same answers from both."""

from __future__ import annotations

import pytest
from tests.reference import (
    cases_handshake,
    cases_msgpack,
    cases_packets,
    cases_polling,
    cases_sequences,
    cases_upgrade,
    cases_websocket,
)
from tests.reference.differences import expected, unknown, without_vary
from tests.reference.servers import SUBJECT, References, play, subject
from tests.reference.table import CASES

__all__ = [
    "cases_handshake",
    "cases_msgpack",
    "cases_packets",
    "cases_polling",
    "cases_sequences",
    "cases_upgrade",
    "cases_websocket",
]


@pytest.mark.parametrize("name", list(CASES))
async def test_both_answer_alike(name: str, references: References) -> None:
    case = CASES[name]
    reference = await play(case, "127.0.0.1", references.port(case.options))
    async with subject(case.options, references) as (host, port):
        ours = await play(case, host, port)
    if SUBJECT == "reference":
        assert "\n".join(ours) == "\n".join(reference)
    else:
        ours = without_vary(case.options, ours)
        assert "\n".join(ours) == "\n".join(expected(name, reference))


def test_every_difference_is_of_a_case() -> None:
    assert unknown() == []
