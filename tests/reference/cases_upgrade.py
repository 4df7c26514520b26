"""Cases: from long-polling to WebSocket, by probe."""

from __future__ import annotations

from functools import partial

from tests.reference.table import add, case
from tests.reference.wire import Wire

from hubbub.testing.raw import CLOSE, masked

MESSAGE = b'42["message",1]'

NO_PROBES: tuple[str | bytes, ...] = (
    "2",
    "2x",
    "2probe2",
    "3probe",
    "1",
    "0",
    "6",
    "x",
    "",
    MESSAGE.decode(),
    b"2probe",
)


async def begins_with(wire: Wire, packet: str | bytes) -> None:
    """A WebSocket that begins with no probe is closed, and the session lives on."""
    session = await wire.poll()
    poll = await session.begin()
    channel = await wire.websocket(session.upgrade_query)
    await channel.send(packet)
    await channel.read_on()
    await poll.hangs()
    await session.post(MESSAGE)
    await poll.answer()


async def goes_on_with(wire: Wire, packet: str | bytes) -> None:
    """What follows a probe is another probe or the upgrade."""
    session = await wire.poll()
    channel = await session.probe()
    await channel.send(packet)
    await channel.read_on()
    await session.post(MESSAGE)
    await session.get()


for packet in NO_PROBES:
    add(f"upgrade that begins with {packet!r}", partial(begins_with, packet=packet))
    add(f"upgrade that goes on with {packet!r}", partial(goes_on_with, packet=packet))


@case()
async def upgrade(wire: Wire) -> None:
    session = await wire.poll()
    poll = await session.begin()
    channel = await session.probe()
    await poll.answer()
    await channel.send("5")
    await channel.mark()


@case()
async def upgrade_before_any_namespace(wire: Wire) -> None:
    session = await wire.poll(join=False)
    poll = await session.begin()
    channel = await session.probe()
    await poll.answer()
    await channel.send("5", "40")
    await channel.read(2)


@case()
async def polls_are_answered_while_probing(wire: Wire) -> None:
    session = await wire.poll()
    channel = await session.probe()
    for _ in range(3):
        await session.get()
    await channel.send("5")
    await channel.mark()


@case()
async def messages_go_by_polling_until_the_upgrade(wire: Wire) -> None:
    session = await wire.poll()
    channel = await session.probe()
    await session.post(MESSAGE)
    await session.get()
    await session.post(b'42["message",2]')
    await channel.send("5")
    await channel.mark()


@case()
async def all_that_waits_goes_over_in_order(wire: Wire) -> None:
    session = await wire.poll()
    await session.post(b'42["burst",5,3]')
    channel = await session.probe()
    await session.post(b'42["message",2]')
    await channel.send("5", '42["message",3]')
    await channel.mark()


@case()
async def binary_goes_over_as_binary(wire: Wire) -> None:
    session = await wire.poll()
    await session.post(b'451-["message",{"_placeholder":true,"num":0}]\x1ebAQID')
    channel = await session.probe()
    await channel.send("5")
    await channel.mark()


@case()
async def two_probes(wire: Wire) -> None:
    session = await wire.poll()
    channel = await session.probe()
    await channel.send("2probe")
    await channel.read()
    await channel.send("5")
    await channel.mark()


@case()
async def upgrade_without_a_probe(wire: Wire) -> None:
    session = await wire.poll()
    channel = await wire.websocket(session.upgrade_query)
    await channel.send("5")
    await channel.mark()


@case()
async def upgrade_while_a_poll_hangs(wire: Wire) -> None:
    session = await wire.poll()
    channel = await wire.websocket(session.upgrade_query)
    poll = await session.begin()
    await channel.send("5")
    await poll.answer()
    await channel.mark()


@case()
async def upgrade_while_a_post_is_read(wire: Wire) -> None:
    session = await wire.poll()
    channel = await session.probe()
    post = await wire.begin("POST", session.query, body=MESSAGE, part=5)
    await channel.send("5")
    await post.finish()
    await post.answer()
    await channel.mark()


@case()
async def requests_after_the_upgrade(wire: Wire) -> None:
    session = await wire.poll()
    channel = await session.probe()
    await channel.send("5")
    await session.get()
    await session.post(MESSAGE)
    await (await session.begin("PUT")).answer()
    await channel.mark()


@case()
async def another_websocket_after_the_upgrade(wire: Wire) -> None:
    session = await wire.poll()
    channel = await session.probe()
    await channel.send("5")
    other = await wire.ask_upgrade(session.upgrade_query)
    await other.read_on()
    await channel.mark()


@case()
async def another_websocket_while_probing(wire: Wire) -> None:
    session = await wire.poll()
    channel = await session.probe()
    other = await wire.ask_upgrade(session.upgrade_query)
    await other.read_on()
    await channel.send("5")
    await channel.mark()


@case(upgrade_timeout=0.6)
async def upgrade_that_is_not_completed(wire: Wire) -> None:
    session = await wire.poll()
    channel = await wire.websocket(session.upgrade_query)
    await channel.read_on()
    poll = await session.begin()
    await session.post(MESSAGE)
    await poll.answer()


@case(upgrade_timeout=0.6)
async def upgrade_that_is_probed_only_then_done_anew(wire: Wire) -> None:
    session = await wire.poll()
    await (await session.probe()).read_on()
    channel = await session.probe()
    await channel.send("5")
    await channel.mark()


@case()
async def websocket_that_vanishes_while_probing(wire: Wire) -> None:
    session = await wire.poll()
    (await session.probe()).hang_up()
    await wire.settle()
    await session.post(MESSAGE)
    await session.get()
    channel = await session.probe()
    await channel.send("5")
    await channel.mark()


@case()
async def websocket_that_is_closed_while_probing(wire: Wire) -> None:
    session = await wire.poll()
    channel = await session.probe()
    await channel.raw(masked(CLOSE, b"\x03\xe8"))
    await channel.read_on()
    await session.post(MESSAGE)
    await session.get()


@case()
async def session_that_ends_while_probing(wire: Wire) -> None:
    session = await wire.poll()
    channel = await session.probe()
    await session.post(b"1")
    await channel.read_on()
    await session.get()


@case()
async def session_that_breaks_the_protocol_while_probing(wire: Wire) -> None:
    session = await wire.poll()
    channel = await session.probe()
    await session.post(b"x")
    await channel.read_on()
    await session.get()


@case()
async def server_closes_while_probing_and_the_client_upgrades(wire: Wire) -> None:
    session = await wire.poll()
    channel = await session.probe()
    await session.post(b'42["parting"]')
    await channel.send("5")
    await channel.read_on()
    await session.get()


@case()
async def server_drops_while_probing_and_the_client_upgrades(wire: Wire) -> None:
    session = await wire.poll()
    channel = await session.probe()
    await session.post(b'42["drop"]')
    await channel.send("5")
    await channel.read_on()
    await session.get()


@case()
async def server_closes_while_probing_and_the_client_polls(wire: Wire) -> None:
    session = await wire.poll()
    channel = await session.probe()
    await session.post(b'42["kick"]')
    await session.get()
    await session.get()
    await channel.read_on()
    await session.get()


@case()
async def server_closes_and_the_client_probes(wire: Wire) -> None:
    session = await wire.poll()
    await session.post(b'42["parting"]')
    channel = await wire.websocket(session.upgrade_query)
    await channel.send("2probe")
    await channel.read()
    await session.get()
    await session.get()
    await session.get()


@case()
async def server_closes_after_the_upgrade(wire: Wire) -> None:
    session = await wire.poll()
    channel = await session.probe()
    await channel.send("5", '42["parting"]')
    await channel.read_on()
    await session.get()
