from __future__ import annotations

import msgspec
import pytest

from hubbub.client.publications import Received
from hubbub.model import Position, Publication, Raw


class Order(msgspec.Struct):
    id: int


PUBLICATION = Publication("orders:eu", "order.updated", Raw(b'{"id":7}'), "m1", "ada", 1.5, "e", 3)


def test_data_is_what_was_asked_for() -> None:
    assert Received[dict[str, int]](PUBLICATION).data == {"id": 7}
    assert Received[Order](PUBLICATION, Order).data == Order(7)
    assert Received[Order](PUBLICATION).raw == b'{"id":7}'


def test_what_is_of_another_type_raises_where_it_is_looked_at() -> None:
    received = Received[int](PUBLICATION, int)
    with pytest.raises(msgspec.ValidationError):
        _ = received.data


def test_all_else_that_is_known() -> None:
    received = Received[object](PUBLICATION)
    assert (
        received.channel,
        received.event,
        received.id,
        received.sender,
        received.time,
        received.offset,
    ) == (
        "orders:eu",
        "order.updated",
        "m1",
        "ada",
        1.5,
        3,
    )
    assert received.position == Position("e", 3)
    assert repr(received) == "<Received 'order.updated' in 'orders:eu' 3>"
    assert Received[object](Publication("a", "b", Raw(b"1"))).position is None
