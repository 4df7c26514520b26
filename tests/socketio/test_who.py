from __future__ import annotations

import pytest
from tests.socketio.world import World

from hubbub.errors import HubbubError
from hubbub.hub.session import new_id
from hubbub.socketio.who import Targets, Who, several

pytestmark = pytest.mark.anyio


async def test_sids_are_of_their_namespace_and_all_other_names_are_rooms() -> None:
    world = World()
    world.sio.on("x", print, "/a")
    await world.start()
    ada = await world.entered("ada", "/", "/a")
    who = Who(world.sockets)
    sid, other = ada.sid, ada.place("/a").sid
    here = world.sockets.by_id[sid]
    stranger = new_id("abcdef")
    found = who.targets([sid, "room", here.socket, stranger, "room", other, stranger], "/")
    assert found == Targets([here], ["socketio:#/,room"], [stranger, other])
    assert who.targets(None, "/a") == Targets([], ["socketio:#/a"], [])
    assert who.find(other, None) is who.find(other, "/a") is world.sockets.by_id[other]
    assert who.find(other, "/") is None
    with pytest.raises(HubbubError):
        who.required(other, "/")


async def test_a_socket_that_has_ended_is_nobody() -> None:
    world = await World().start()
    ada = await world.entered("ada")
    who = Who(world.sockets)
    socket = world.sio.socket(ada.sid)
    ada.send("1")
    assert who.targets(socket, "/") == Targets([], [], [])
    (found,) = several(socket)
    assert found is socket


async def test_members_are_found_by_name_and_by_room_once() -> None:
    world = await World().start()
    ada, bob = await world.entered("ada"), await world.entered("bob")
    for peer in (ada, bob):
        await world.sio.enter_room(peer.sid, "a")
    bob.drop()
    who = Who(world.sockets)
    targets = who.targets([ada.sid, "a"], "/")
    assert [each.id for each in who.members(targets.sockets, targets.channels, "/")] == [ada.sid]
    away = who.members(targets.sockets, targets.channels, "/", away=True)
    assert {each.id for each in away} == {ada.sid, bob.sid}
    assert who.rooms(world.sio.socket(bob.sid)) == {bob.sid, "a"}
