"""Who is not recovered: honestly another socket, and nothing is left of the old one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.socketio.world import PYTHON, Peer, World, recovering, settle

from hubbub.model import Principal

pytestmark = pytest.mark.anyio


async def is_new(world: World, peer: Peer, sid: str, **auth: Any) -> bool:
    """Whether a client that would recover is let in as a new one, knowing nothing of the old."""
    recovered = await peer.back(**auth)
    await settle()
    assert world.sio.rooms(peer.sid) == {peer.sid}
    assert not world.sio.socket(peer.sid).recovered
    return not recovered and peer.sid != sid


async def test_after_the_window() -> None:
    world, peer, _ = await recovering(
        socketio={"recovery_window": 50, "ping_interval": 10, "ping_timeout": 5}
    )
    sid = peer.sid
    peer.drop()
    world.clock.advance(49)
    assert await peer.back()
    peer.drop()
    world.clock.advance(51)
    assert await is_new(world, peer, sid)
    assert world.metrics.resumes == {"recovered": 1, "gone": 1}


@pytest.mark.parametrize(
    "forge",
    [
        lambda pid: pid[:-1] + ("A" if pid[-1] != "A" else "B"),
        lambda pid: pid.partition(".")[0] + ".",
        lambda pid: pid.partition(".")[0],
        lambda pid: "." + pid.partition(".")[2],
        lambda pid: "é" + pid,
        lambda pid: "",
    ],
)
async def test_with_a_wrong_secret(forge: Callable[[str], str]) -> None:
    world, peer, _ = await recovering()
    sid, pid = peer.sid, peer.place().pid
    assert pid is not None
    peer.drop()
    peer.place().pid = forge(pid)
    assert await is_new(world, peer, sid)
    assert not world.hub.sessions[sid].closed  # whoever guesses ends nobody
    thief, peer.place().pid = peer.sid, pid
    peer.drop()
    assert await peer.back()
    assert peer.sid == sid != thief


async def test_in_another_namespace() -> None:
    world, peer, _ = await recovering()
    world.sio.on("x", lambda socket: None, "/chat")
    pid, offset = peer.place().pid, peer.place().offset
    peer.drop()
    peer.dial()
    place = await peer.enter("/chat", pid=pid, offset=offset)
    assert not place.recovered
    assert place.sid != peer.sid
    peer.drop()
    assert await peer.back()


async def test_as_another_user() -> None:
    world, peer, _ = await recovering()
    sid = peer.sid
    peer.drop()
    peer.token = "mallory"
    assert await is_new(world, peer, sid)
    assert world.hub.sessions[peer.sid].user == "mallory"


async def test_with_a_token_that_is_not_taken_any_more() -> None:
    _, peer, _ = await recovering()
    peer.drop()
    peer.token = "bad"
    peer.dial()
    refusal = await peer.refused(pid=peer.place().pid, offset=peer.place().offset)
    assert refusal["data"]["name"] == "invalid_token"


async def test_a_new_token_brings_its_own_rights() -> None:
    world, peer, _ = await recovering()
    peer.drop()
    world.policy.principal["alice"] = Principal("alice", expires=world.clock.now() + 60)
    assert await peer.back()
    session = world.hub.sessions[peer.sid]
    assert session.expires == world.clock.now() + 60


async def test_when_the_journal_has_overflown() -> None:
    world, peer, witness = await recovering(limits={"recovery_bytes": 3_000})
    sid = peer.sid
    peer.drop()
    for number in range(10):
        await world.sio.emit("x", number, to="b")
    assert await is_new(world, peer, sid)
    assert sid not in world.sockets.by_id  # and the old one is over
    assert world.metrics.resumes == {"incomplete": 1}
    assert world.hub.journal.bytes <= 3_000
    assert len(witness.events()) == 10


@pytest.mark.parametrize(
    "offset",
    [
        "other.1",
        "1",
        "",
        ".1",
        "EPOCH.",
        "EPOCH.-1",
        "EPOCH.x",
        "EPOCH.99999999",
        "EPOCH." + "9" * 30,
        "EPOCH." + "9" * 5000,
        "EPOCH.²",
    ],
)
async def test_with_an_offset_of_another_epoch_or_of_none(offset: str) -> None:
    world, peer, _ = await recovering()
    sid, pid = peer.sid, peer.place().pid
    peer.drop()
    peer.dial()
    await peer.enter(pid=pid, offset=offset.replace("EPOCH", world.hub.journal.epoch))
    assert peer.sid != sid
    assert world.metrics.resumes == {"incomplete": 1}


@pytest.mark.parametrize("proof", [{"pid": 7}, {"pid": None}, {"pid": ["x"]}, {"offset": "x"}, {}])
async def test_with_a_proof_that_is_none(proof: dict[str, Any]) -> None:
    _, peer, _ = await recovering()
    sid = peer.sid
    peer.drop()
    peer.dial()
    await peer.enter(**proof)
    assert peer.sid != sid


@pytest.mark.parametrize("offset", [7, ["x"], {"a": 1}, True])
async def test_with_an_offset_that_is_no_text(offset: Any) -> None:
    _, peer, _ = await recovering()
    sid, pid = peer.sid, peer.place().pid
    peer.drop()
    peer.dial()
    await peer.enter(pid=pid, offset=offset)
    assert peer.sid != sid


async def test_after_either_side_has_ended_it() -> None:
    world, peer, _ = await recovering()
    sid, pid = peer.sid, peer.place().pid
    await world.sio.disconnect(sid)
    peer.read()
    peer.place().pid = pid
    assert await is_new(world, peer, sid)
    sid = peer.sid
    peer.send("1")
    assert await is_new(world, peer, sid)


async def test_of_clients_that_do_not_understand_it() -> None:
    world, _, _ = await recovering()
    peer = await world.entered("alice", user_agent=PYTHON)
    await world.sio.emit("x", "text")
    assert peer.texts() == ['2["x","text"]']
    sid = peer.sid
    secret = world.hub.sessions[sid].secret
    peer.drop()
    assert sid not in world.sockets.by_id
    peer.dial(user_agent="Mozilla/5.0")
    await peer.enter(pid=f"{sid}.{secret}", offset=None)
    assert peer.sid != sid


@pytest.mark.parametrize(
    ("settings", "agent", "query", "expected"),
    [
        ({}, PYTHON, "", False),
        ({}, PYTHON, "recovery=on", True),
        ({"recovery": "always"}, PYTHON, "", True),
        ({"recovery": "never"}, "Mozilla/5.0", "", False),
        ({"recovery": "never"}, "Mozilla/5.0", "recovery=on", False),
        ({"recovery_window": 0}, "Mozilla/5.0", "", False),
        ({}, "Mozilla/5.0", "recovery=off", False),
    ],
)
async def test_who_can_recover(settings: dict[str, Any], agent: str, query: str, expected: bool) -> None:
    world = await World(socketio=settings).start()
    peer = await world.entered(user_agent=agent, query=query)
    assert (peer.place().pid is not None) is expected
    assert (world.hub.sessions[peer.sid].trail is not None) is expected
