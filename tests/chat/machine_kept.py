"""What random users keep, pin and forbid each other: more rules for the machine, and what they do to the model."""

from __future__ import annotations

from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from tests.chat.machine_model import Model, RefusedError, refuse
from tests.chat.machine_place import Place
from tests.chat.machine_stage import USERS, Stage

from hubbub.errors import ErrorCode

numbers = st.integers(0, 30)
actors = st.sampled_from((0, 0, 0, 4, 5, 10))
"""Mostly who may: see `Stage.actor`."""
messages = st.integers(0, 12)
rarely = st.sampled_from((False, False, True))
BRIEF = 5
"""Seconds; sessions that are away are gone later."""


class Kept(Stage):
    """See `Stage`."""

    def place_of_posts(self, number: int) -> Place:
        there = [place for place in self.model.places if place.posts]
        return there[number % len(there)]

    @precondition(lambda self: any(place.posts for place in self.model.places))
    @rule(number=numbers, who=actors, message=messages, pinned=st.booleans(), gone=rarely)
    def pin(self, number: int, who: int, message: int, pinned: bool, gone: bool) -> None:
        place = self.place_of_posts(number)
        user, seq = self.actor(place, who), self.seq(place, message)
        for each in (pinned, True):
            operation = "pins.add" if each else "pins.remove"
            model = partial(pin, self.model, user, place, seq, each)
            self.do(self.deed(operation, user, place, model, message=seq))
        if gone:
            self.do(self.deleting(place, user, seq, True))

    @precondition(lambda self: any(place.posts for place in self.model.places))
    @rule(number=numbers, who=actors, message=messages, kept=st.booleans())
    def bookmark(self, number: int, who: int, message: int, kept: bool) -> None:
        place = self.place_of_posts(number)
        user, seq = self.actor(place, who), self.seq(place, message)
        for each in (kept, True):
            operation = "bookmarks.add" if each else "bookmarks.remove"
            model = partial(bookmark, self.model, user, place, seq, each)
            self.do(self.deed(operation, user, place, model, message=seq))

    @precondition(lambda self: self.model.places)
    @rule(
        number=numbers,
        who=actors,
        other=st.sampled_from(USERS),
        muted=st.booleans(),
        brief=st.booleans(),
        said=st.booleans(),
    )
    def mute(self, number: int, who: int, other: str, muted: bool, brief: bool, said: bool) -> None:
        place = self.place(number)
        user = self.actor(place, who)
        if who == 0 and place.joined:  # somebody who does something there
            other = place.joined[-1]
        until = self.world.clock.now() + BRIEF if brief and muted else None
        given = {"user": other, "kind": "mute"} | ({} if until is None else {"until": until})
        operation = "restrictions.set" if muted else "restrictions.lift"
        model = self.model
        self.do(
            self.deed(operation, user, place, lambda: mute(model, user, place, other, muted, until), **given)
        )
        if said:
            self.do(self.sending(place, other, "red tea"))

    @precondition(lambda self: self.model.places)
    @rule(number=numbers, who=actors, expires=st.integers(BRIEF, 2 * BRIEF))
    def send_for_a_while(self, number: int, who: int, expires: int) -> None:
        place = self.place(number)
        deed = self.sending(place, self.actor(place, who), "red while")
        deed.params["expires_in"] = expires
        send = deed.model

        def model() -> object:
            post = send()
            # What is done on time was written when the clock stood there.
            post.expires = self.world.clock.now() + expires
            return post

        deed.model = model
        self.do(deed)


def pin(model: Model, user: str, place: Place, seq: int, pinned: bool) -> None:
    model.access(user, place)
    post = model.find(user, place, seq)
    refuse(ErrorCode.PERMISSION_DENIED, not place.may(user, "pin"))
    model.writable(user, place)
    refuse(ErrorCode.MESSAGE_DELETED, pinned and post.deleted)
    if post.pinned is not pinned:
        post.pinned = pinned
        place.log.append(("message.annotated", seq))


def bookmark(model: Model, user: str, place: Place, seq: int, kept: bool) -> None:
    model.access(user, place)
    refuse(ErrorCode.PERMISSION_DENIED, place.role(user) is None)
    if kept or (user, seq) not in place.bookmarks:
        post = model.find(user, place, seq)
        refuse(ErrorCode.MESSAGE_DELETED, kept and post.deleted and not place.bookmarks.get((user, seq)))
    if place.bookmarks.get((user, seq), False) is not kept:
        place.bookmarks[user, seq] = kept
        model.tell(user, "bookmark.changed", place)


def mute(model: Model, user: str, place: Place, other: str, muted: bool, until: float | None) -> None:
    model.access(user, place, "moderate")
    mine, theirs = place.role(user), place.role(other)
    above = mine is not None and model.gives(mine, theirs or "guest", "reader")
    if user == other or not above:
        raise RefusedError(ErrorCode.PERMISSION_DENIED)
    before = model.muted(other, place)
    if muted:
        place.mutes[other] = until
    else:
        place.mutes.pop(other, None)
    if muted or before:
        model.tell(other, "restriction.changed", place)
