"""Whether what the server shows to each user is what the model says, and nothing more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from tests.chat.machine_model import Model
from tests.chat.machine_place import Follow, Place, Post

from hubbub.chat.directory import OPERATIONS
from hubbub.chat.ledger import Actor, View
from hubbub.chat.model import Annotations, Message, MyConversation, MyMembership, MyThread
from hubbub.chat.sync import Sync, SyncPage, synchronise
from hubbub.errors import ErrorCode, HubbubError

OPTIONS = ("1", "2")
"""Of each poll."""
MOST = 100
"""Of anything in one page: more than there ever is."""


def ask(view: View, operation: str, user: str, **params: Any) -> Any:
    """The answer to a read, or the code of its refusal."""
    found = OPERATIONS[operation]
    try:
        return found.function(view, Actor(user), msgspec.convert(params, found.params))
    except HubbubError as error:
        return error.code


def words_of(message: Message) -> str:
    parts = [msgspec.json.decode(part) for part in message.parts]
    return " ".join(part["text"] for part in parts if part["type"] == "text")


def message_view(message: Message) -> dict[str, Any]:
    mentions, standing = message.mentions, message.annotations or Annotations()
    return {
        "seq": message.seq,
        "sender": message.sender,
        "words": words_of(message),
        "users": mentions.users if mentions else (),
        "everyone": mentions is not None and mentions.everyone == "all",
        "thread": message.thread,
        "reply_to": message.reply_to,
        "system": message.kind == "system",
        "version": message.version,
        "deleted": message.deleted is not None,
        "reactions": [(each.name, each.count, list(each.users)) for each in message.reactions],
        "number": message.number,
        "thread_number": message.thread_number,
        "replies": message.replies,
        "pinned": standing.pin is not None,
        "voters": None if standing.poll is None else standing.poll.voters,
        "votes": {each.id: (each.votes, each.users) for each in standing.poll.options}
        if standing.poll
        else {},
        "done": [(each.id, each.by) for each in standing.done],
    }


def post_view(place: Place, post: Post) -> dict[str, Any]:
    """The same of a post, counted anew."""
    before = [each for each in place.posts.values() if each.seq <= post.seq]
    number = sum(each.counted for each in before) if post.counted else None
    in_thread = sum(each.thread == post.thread for each in before) if post.thread is not None else None
    return {
        "seq": post.seq,
        "sender": post.sender,
        "words": post.words,
        "users": post.users,
        "everyone": post.everyone,
        "thread": post.thread,
        "reply_to": post.reply_to,
        "system": post.system,
        "version": post.version,
        "deleted": post.deleted,
        "reactions": [(name, len(users), users) for name, users in post.reactions.items()],
        "number": number,
        "thread_number": in_thread,
        "replies": len(place.replies(post.seq)),
        "pinned": post.pinned,
        "voters": len(post.votes) if post.asked else None,
        "votes": {option: _for(post, option) for option in OPTIONS} if post.asked else {},
        "done": list(post.done.items()),
    }


def _for(post: Post, option: str) -> tuple[int, tuple[str, ...]]:
    users = tuple(user for user, chosen in post.votes.items() if chosen == option)
    return len(users), users


def check_membership(told: MyMembership, place: Place, user: str) -> None:
    seat = place.seats.get(user)
    if seat is None or seat.state == "left":
        assert told == MyMembership(state=None if seat is None else "left"), (user, told)
        return
    if seat.state == "invited":
        wanted = MyMembership(seat.role, "invited", seat.by)  # type: ignore[arg-type]
        assert told == wanted, (user, told, wanted)
        return
    unread = place.unread(user)
    assert (told.role, told.state, told.invited_by) == (seat.role, "joined", seat.by), (user, told)
    assert (told.read, told.delivered, told.visible) == (seat.read, seat.delivered, seat.visible), (
        user,
        told,
    )
    assert told.unread == len(unread), (user, told.unread, len(unread))
    mentions = sum(post.mentions(user) for post in unread)
    assert told.mentions == mentions, (user, told.mentions, mentions)
    assert (told.archived, told.muted_until is not None) == (seat.archived, seat.muted), (user, told)


def check_mine(told: MyConversation, place: Place, user: str) -> None:
    """A conversation as it is to one user."""
    conversation = told.conversation
    assert conversation.id == place.id
    assert (conversation.kind, conversation.history, conversation.closed) == (
        place.kind,
        place.history,
        place.closed,
    )
    assert (conversation.name, conversation.permissions) == (place.name, place.permissions)
    assert (conversation.seq, conversation.members) == (place.head, len(place.joined))
    assert conversation.messages == sum(post.counted for post in place.posts.values())
    check_membership(told.membership, place, user)
    newest = place.newest()
    assert conversation.last_message == (newest.seq if newest else None)
    if newest is None or newest not in place.readable(user):
        assert told.last_message is None, (user, told.last_message)
    else:
        assert told.last_message is not None
        assert message_view(told.last_message) == post_view(place, newest)


def check_lists(view: View, model: Model, user: str) -> None:
    """One's conversations and invitations, one's totals, threads and blocks."""
    for state in ("joined", "invited"):
        wanted = {place.id: place for place in model.places if _is(place, user, state)}
        shown: list[MyConversation] = []
        for archived in (False, True) if state == "joined" else (False,):
            page = ask(view, "conversations.list", user, state=state, archived=archived, limit=MOST)
            shown += page.conversations
        assert sorted(each.conversation.id for each in shown) == sorted(wanted), (user, state)
        for each in shown:
            check_mine(each, wanted[each.conversation.id], user)
    me = ask(view, "me.get", user)
    counts = [
        len(place.unread(user))
        for place in model.places
        if _is(place, user, "joined") and not (place.seats[user].archived or place.seats[user].muted)
    ]
    invited = sum(_is(place, user, "invited") for place in model.places)
    assert (me.unread, me.unread_conversations, me.invitations) == (
        sum(counts),
        sum(count > 0 for count in counts),
        invited,
    ), (user, me)
    shown_threads = ask(view, "threads.list", user, limit=MOST).threads
    wanted_threads = threads(model, user)
    assert {_place_of(each): each for each in shown_threads}.keys() == wanted_threads.keys(), user
    for each in shown_threads:
        check_thread(each, *wanted_threads[_place_of(each)], user)
    blocked = {each.user for each in ask(view, "blocks.list", user).blocks}
    bookmarks = ask(view, "bookmarks.list", user, limit=MOST).bookmarks
    assert {(each.bookmark.conversation, each.bookmark.message) for each in bookmarks} == {
        (place.id, seq)
        for place in model.places
        for (other, seq), kept in place.bookmarks.items()
        if kept and other == user
    }, user
    assert blocked == {other for one, other in model.blocks if one == user}, user
    kept = ask(view, "drafts.list", user, limit=MOST).drafts
    assert {each.conversation: msgspec.json.decode(each.parts[0])["text"] for each in kept} == {
        place.id: place.drafts[user] for place in model.places if user in place.drafts
    }, user


def _is(place: Place, user: str, state: str) -> bool:
    return user in place.seats and place.seats[user].state == state


def _place_of(thread: MyThread) -> tuple[str, int]:
    return thread.root.conversation, thread.root.seq


def threads(model: Model, user: str) -> dict[tuple[str, int], tuple[Place, Follow]]:
    """The threads that one follows and may read."""
    return {
        (place.id, root): (place, follow)
        for place in model.places
        if place.role(user) is not None
        for (root, other), follow in place.follows.items()
        if other == user and follow.following and place.posts[root] in place.readable(user)
    }


def check_thread(told: MyThread, place: Place, follow: Follow, user: str) -> None:
    root = place.posts[told.root.seq]
    assert message_view(told.root) == post_view(place, root)
    assert (told.read, told.unread) == (follow.read, place.thread_unread(root.seq, user)), (user, told)


def check_place(view: View, model: Model, place: Place, user: str) -> None:
    """All that a user may see of one conversation: its messages, its log, who is in it and has read what."""
    conversation = place.id
    mine = ask(view, "conversations.get", user, conversation=conversation)
    page = ask(view, "messages.list", user, conversation=conversation, limit=MOST)
    log = ask(view, "events.list", user, conversation=conversation, limit=MOST * 5)
    seats = ask(view, "members.list", user, conversation=conversation, limit=MOST)
    found = ask(view, "search", user, conversation=conversation, query="red", order="newest", limit=MOST)
    if not place.knows(user):
        for each in (mine, page, log, seats, found):
            assert each is ErrorCode.NOT_FOUND, (user, each)
        return
    if model.kept_out(user, place):
        for each in (mine, page, log, seats, found):
            assert each is ErrorCode.RESTRICTED, (user, each)
        return
    seat = place.seats.get(user)
    if not place.may(user, "read"):
        for each in (page, log, seats, found):
            assert each is ErrorCode.PERMISSION_DENIED, (user, each)
        invited = seat is not None and seat.state == "invited"
        if not invited:
            assert mine is ErrorCode.PERMISSION_DENIED
            return
        check_mine(mine, place, user)
        return
    check_mine(mine, place, user)
    posts = place.readable(user)
    wanted = [post for post in posts if post.thread is None]
    shown_now = [post for post in wanted if post.seq > place.expunged]
    assert [message_view(each) for each in page.messages] == [post_view(place, post) for post in shown_now]
    for root in wanted:
        replies = ask(view, "messages.list", user, conversation=conversation, thread=root.seq, limit=MOST)
        told = [message_view(each) for each in replies.messages]
        assert told == [post_view(place, post) for post in posts if post.thread == root.seq]
    pinned = ask(view, "pins.list", user, conversation=conversation, limit=MOST)
    assert {each.seq for each in pinned.messages} == {post.seq for post in posts if post.pinned}, user
    floor = place.floor(user)
    shown = [
        (seq, kind)
        for seq, (kind, about) in enumerate(place.log, 1)
        if seq > floor and (about is None or about > floor)
    ]
    events = [msgspec.json.decode(each) for each in log.events]
    assert [(each["seq"], each["type"]) for each in events] == shown, user
    assert [each.user for each in seats.members] == place.joined
    for each in seats.members:
        seat = place.seats[each.user]
        assert (each.role, each.read, each.delivered) == (seat.role, seat.read, seat.delivered)
    assert [hit.message.seq for hit in found.hits] == _said(posts, "red"), user
    for post in posts[-1:]:
        receipts = ask(view, "receipts.list", user, conversation=conversation, message=post.seq)
        meant = [
            other for other in place.joined if other != post.sender and place.seats[other].since <= post.time
        ]
        read = [other for other in meant if place.seats[other].read >= post.seq]
        got = sum(place.seats[other].delivered >= post.seq for other in meant)
        assert [each.user for each in receipts.receipts] == read
        assert (receipts.read, receipts.delivered, receipts.members) == (len(read), got, len(meant))


def _said(posts: Iterable[Post], word: str) -> list[int]:
    return [post.seq for post in posts if word in post.words.split()][::-1]


def check_search(view: View, model: Model, user: str) -> None:
    """All of one's conversations at once."""
    for word in ("red", "blue"):
        hits = ask(view, "search", user, query=word, limit=MOST).hits
        found = sorted((hit.message.conversation, hit.message.seq) for hit in hits)
        wanted = sorted(
            (place.id, seq)
            for place in model.places
            if place.role(user) is not None
            for seq in _said(place.readable(user), word)
        )
        assert found == wanted, (user, word)


def check_discovery(view: View, model: Model, user: str) -> None:
    shown = ask(view, "conversations.discover", user, limit=MOST).conversations
    wanted = {place.id: place for place in model.places if place.public and not place.closed}
    assert sorted(each.conversation.id for each in shown) == sorted(wanted)
    for each in shown:
        check_mine(each, wanted[each.conversation.id], user)


def fresh_sync(view: View, user: str) -> SyncPage:
    """What a new device is told."""
    return synchronise(view, Actor(user), Sync())


def check_all(view: View, model: Model) -> None:
    for user in model.users:
        check_lists(view, model, user)
        check_search(view, model, user)
        check_discovery(view, model, user)
        for place in model.places:
            check_place(view, model, place, user)
