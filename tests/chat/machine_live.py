"""Whether what a device has put together of what it was told is what the model says."""

from __future__ import annotations

from tests.chat.machine_devices import Device, Known
from tests.chat.machine_look import check_membership, check_mine, message_view, post_view, threads, words_of
from tests.chat.machine_model import Model
from tests.chat.machine_place import Place

from hubbub.chat.ledger import channel_of
from hubbub.chat.model import MyConversation


def places_of(model: Model, user: str, state: str = "joined") -> dict[str, Place]:
    return {
        place.id: place for place in model.places if user in place.seats and place.seats[user].state == state
    }


def check_live(device: Device, model: Model) -> None:
    """Of a device that follows: it is where its user is a member and nowhere else, and has heard all that was there."""
    user = device.user
    joined = {id: place for id, place in places_of(model, user).items() if place.may(user, "read")}
    kinds = [kind for kind, _ in model.inbox[user]]
    channels = {channel_of(id) for id in joined} | {device.inbox_channel}
    assert device.stream.keys() == channels, (user, device.stream.keys() ^ channels)
    assert device.inbox == len(kinds), (user, device.inbox, kinds)
    for id, place in joined.items():
        assert device.stream[channel_of(id)] == place.head
        check_known(device.known[id], place, user)
    for id, place in places_of(model, user).items():
        told, seat = device.memberships[id], place.seats[user]
        assert (told.role, told.archived, told.muted_until is not None) == (
            seat.role,
            seat.archived,
            seat.muted,
        ), (user, told)
        if told.read != seat.read:
            assert told.read < seat.read
            assert place.posts[seat.read].sender == user, "it was read elsewhere, of which it was not told"
    blocked = {other for one, other in model.blocks if one == user}
    assert device.blocks == blocked
    assert not any(device.later.values()), device.later


def check_known(known: Known, place: Place, user: str) -> None:
    """What a device knows of a conversation is so, and is all that it should know."""
    assert known.seq == place.head, (user, known.seq, place.head)
    check_mine_known(known, place)
    readable = {post.seq: post for post in place.readable(user)}
    for seq, message in known.messages.items():
        if seq in known.hidden:
            continue
        if seq not in readable:
            assert not words_of(message), f"{user} sees {seq} of {place.kind}, which it may not"
            continue
        told, wanted = message_view(message), post_view(place, readable[seq])
        if seq in known.withheld:
            told |= {name: wanted[name] for name in ("words", "users", "everyone")}
        assert told == wanted
    for seq, post in readable.items():
        if seq > known.since or (post.thread is None and seq >= known.oldest):
            assert seq in known.messages, f"{user} has not heard of {seq}"


def check_mine_known(known: Known, place: Place) -> None:
    conversation = known.conversation
    newest = place.newest()
    assert (conversation.id, conversation.name, conversation.permissions) == (
        place.id,
        place.name,
        place.permissions,
    )
    assert (conversation.closed, conversation.history) == (place.closed, place.history)
    assert (conversation.seq, conversation.members) == (place.head, len(place.joined))
    assert conversation.messages == sum(post.counted for post in place.posts.values())
    assert conversation.last_message == (newest.seq if newest else None)


def check_synced(device: Device, model: Model) -> None:
    """Of a device that has just synced: all that a new one would be told."""
    user = device.user
    joined, invited = places_of(model, user), places_of(model, user, "invited")
    assert device.mine.keys() == joined.keys() | invited.keys(), user
    for id, place in (joined | invited).items():
        mine: MyConversation = device.mine[id]
        check_mine(mine, place, user)
        check_membership(device.memberships[id], place, user)
    for id, place in joined.items():
        if place.may(user, "read"):
            check_known(device.known[id], place, user)
    wanted = threads(model, user)
    for (id, root), (place, follow) in wanted.items():
        unread = place.thread_unread(root, user)
        if unread:
            assert device.threads[id, root] == (True, follow.read, unread), (user, id, root)
    for (id, root), (following, read, unread_told) in device.threads.items():
        if following and (id, root) in wanted:
            place, follow = wanted[id, root]
            assert read == follow.read
            assert unread_told in (None, place.thread_unread(root, user))
        elif following:
            place = joined[id]
            assert place.posts[root] not in place.readable(user), (user, id, root)
    assert device.blocks == {other for one, other in model.blocks if one == user}
