"""How games end: one of the users is erased, and all that was said in one conversation is swept. What the others are
shown then must still be what the model says.
"""

from __future__ import annotations

from tests.chat.later import quiet
from tests.chat.machine_look import check_all
from tests.chat.machine_place import Place
from tests.chat.machine_stage import USERS, Stage
from tests.chat.test_search_index import check_index

GONE = USERS[2]


async def sweep(stage: Stage) -> None:
    """The time of all messages in the conversation that has most of them is over."""
    model, world = stage.model, stage.world
    if not model.places:
        return
    place = max(model.places, key=lambda each: len(each.posts))
    world.clock.advance(2.0)
    await quiet(world)
    model.pass_time(world.clock.now())
    await world.do("retention.update", "", conversation=place.id, retention=1)
    await quiet(world)
    place.log.append(("conversation.updated", None))
    if place.posts:
        place.expunged = max(place.posts)
        for post in place.posts.values():
            if not post.deleted:
                head = len(place.log)
                model.bury(place, post)
                del place.log[head:]  # one event tells of all of them
        for seat in place.seats.values():
            if seat.state == "joined" and place.newest() is not None:
                seat.read = max(seat.read, place.expunged)
                seat.delivered = max(seat.delivered, place.expunged)
        place.log.append(("messages.expunged", None))
    await judge(stage)


async def erase(stage: Stage, *, delete: bool) -> None:
    """Who is erased has an alias in its place, wherever it was."""
    model, world = stage.model, stage.world
    messages = "delete" if delete else "keep"
    alias = (await world.do("rights.erase", "", user=GONE, messages=messages)).alias
    await quiet(world)
    for place in model.places:
        if GONE not in place.seats:
            continue
        if not place.pair:
            if place.seats[GONE].state != "left":
                model.go(place, GONE)
        elif not place.closed:
            place.closed = True
            place.log.append(("conversation.updated", None))
        for post in list(place.posts.values()):
            if delete and post.sender == GONE:
                model.bury(place, post)
        place.log.append(("user.erased", None))
        _rename(place, alias)
    model.blocks = {pair: since for pair, since in model.blocks.items() if GONE not in pair}
    model.users = tuple(user for user in model.users if user != GONE)
    await judge(stage)


def _rename(place: Place, alias: str) -> None:
    def name(user: str) -> str:
        return alias if user == GONE else user

    place.pair = tuple(map(name, place.pair))
    place.seats = {name(user): seat for user, seat in place.seats.items()}
    place.follows = {(root, name(user)): follow for (root, user), follow in place.follows.items()}
    place.drafts.pop(GONE, None)
    for seat in place.seats.values():
        seat.by = None if seat.by is None else name(seat.by)
    for post in place.posts.values():
        post.sender = None if post.sender is None else name(post.sender)
        post.users = tuple(map(name, post.users))
        post.reactions = {emoji: list(map(name, users)) for emoji, users in post.reactions.items()}
        post.votes = {name(user): option for user, option in post.votes.items()}
        post.done = {item: name(user) for item, user in post.done.items()}


async def judge(stage: Stage) -> None:
    await stage.world.read(lambda view: check_all(view, stage.model))
    await check_index(stage.world)
    await stage.world.check()
