from __future__ import annotations

import msgspec
import pytest
from tests.hub.world import World

from hubbub import model
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub import handover
from hubbub.hub.handover import VERSION, Handover, Journaled
from hubbub.model import Join, Member, Position, Principal, Publication, Raw

pytestmark = pytest.mark.anyio

WHOLE = Handover(
    VERSION,
    "nodeAAxxxxxxxxxxxxxxxxxxxx",
    Principal("ada", "agent", 4e9, (model.Permission("a:*", ("publish",)),), ("a:b",), b'{"x":1}', "t", 2.0),
    29.5,
    ("a:b", "c:d"),
    {"c:d": Position("e", 7)},
    ("a:b",),
    (
        Publication("a:b", "e", Raw(b'{"n":1.0e3}'), "id", "bo", 1.25, "e", 3, "k", (b"\x00\xff",), True),
        model.ServerSubscribed("a:b", Position("e", 1), True),
        model.ServerUnsubscribed("c:d", 103, "no"),
        model.Advice("reconnect", 1.0, 2.0),
    ),
    True,
    {"color": b"\x01"},
    Journaled(
        "ab.12", ((Publication("a:b", "e", Raw(b"[1]")), 7), (Join("a:b", Member("s", "u")), -1)), ("id-1",)
    ),
    True,
)


def test_what_is_handed_over_arrives_to_the_byte() -> None:
    assert handover.decode(handover.encode(WHOLE)) == WHOLE
    assert "ada" not in repr(WHOLE)


@pytest.mark.parametrize(
    "data",
    [
        handover.encode(msgspec.structs.replace(WHOLE, version=VERSION + 1)),
        b'{"version":1,"id":5}',
        b"",
        b"\xff",
    ],
)
def test_what_a_later_version_wrote_is_no_session(data: bytes) -> None:
    with pytest.raises(HubbubError) as caught:
        handover.decode(data)
    assert caught.value.code is ErrorCode.SESSION_GONE


def test_a_proof_is_of_one_session_and_one_secret() -> None:
    proofs = {handover.proof(id, secret) for id in ("a", "b") for secret in ("x", "y")}
    assert len(proofs) == 4


async def test_state_that_cannot_be_written_stays_behind() -> None:
    world = await World().start()
    client = await world.connected("ada")
    session = world.hub.sessions[client.session]
    assert handover.export(session).state == {}
    session.state.update(color="red", lock=object())
    assert handover.export(session).state == {"color": msgspec.msgpack.encode("red")}
    assert world.metrics.handler_errors == 1


async def test_an_adopted_session_waits_for_its_client_as_long_as_is_left() -> None:
    world = await World().start()
    session = handover.adopt(world.hub, WHOLE, "secret")
    assert handover.proves(session, handover.proof(WHOLE.id, "secret"))
    assert not handover.proves(session, handover.proof(WHOLE.id, "Secret"))
    assert session.hidden == {"a:b"}
    assert session.pending is not None
    assert len(session.pending) == 4
    world.clock.advance(29.0)
    assert WHOLE.id in world.hub.sessions
    world.clock.advance(1.5)
    assert WHOLE.id not in world.hub.sessions


async def test_what_waits_for_a_session_is_bounded_here_too() -> None:
    world = await World(sessions={"pending_bytes": 100}).start()
    session = handover.adopt(world.hub, WHOLE, "secret")
    assert session.closed
