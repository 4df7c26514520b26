"""A conversation of two, each on a node of their own, whatever stands between the nodes."""

from __future__ import annotations

from tests.chat.wire import Wire, group, text

from hubbub.testing.server import RunningServer


async def see_one_order(one: RunningServer, two: RunningServer) -> None:
    """Both write at once, and both see all of it, in one order and without a gap."""
    id = await group(one, "ada", "bob")
    channel = f"conversation:{id}"
    async with Wire.open(one, "ada") as ada, Wire.open(two, "bob") as bob:
        since = (await ada.subscribe(channel))["position"]["offset"]
        await bob.subscribe(channel)
        replies = [
            wire.begin(
                type="call",
                method="chat.messages.send",
                params={"conversation": id, "parts": text(str(number))},
            )
            for number in range(30)
            for wire in (ada, bob)
        ]
        seqs = sorted([(await each)["result"]["message"]["seq"] for each in replies])
        assert seqs == list(range(since + 1, since + 61)), "no gap, whoever wrote"
        for wire in (ada, bob):
            await wire.until(lambda each: len(each.offsets(channel)) >= 60)
            assert wire.offsets(channel) == seqs
        assert ada.events("message.created") == bob.events("message.created")
