"""What random users ask and tick, begin to write, and keep each other from: more rules, and what they do to the model.
How a game ends is in `machine_endings.py`."""

from __future__ import annotations

from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from tests.chat.machine_endings import GONE, erase, sweep
from tests.chat.machine_kept import BRIEF, Kept, actors, messages, numbers, rarely
from tests.chat.machine_look import OPTIONS
from tests.chat.machine_model import Model, RefusedError, refuse
from tests.chat.machine_place import Place, Post
from tests.chat.machine_stage import USERS
from tests.chat.talk import text

from hubbub.errors import ErrorCode

POLL = {"type": "poll", "question": "Who?", "options": [{"text": "yes"}, {"text": "no"}]}
LIST = {"type": "checklist", "items": [{"text": "first"}, {"text": "second"}], "anyone": True}
someone = st.sampled_from(USERS)


class Content(Kept):
    """See `Stage`."""

    async def _finish(self) -> None:
        await super()._finish()
        await erase(self, delete=bool(self.steps % 2))
        await sweep(self)

    def asking(self, number: int, which: int) -> tuple[Place, int]:
        """A poll, one of the newest; or any message if there is none."""
        asked = [
            (place, post.seq) for place in self.model.places for post in place.posts.values() if post.asked
        ]
        if asked:
            return asked[-1 - number % min(len(asked), 3)]
        place = self.place_of_posts(number)
        return place, self.seq(place, which)

    @precondition(lambda self: self.model.places)
    @rule(number=numbers, who=actors, voters=st.lists(someone, max_size=3), option=st.sampled_from(OPTIONS))
    def ask(self, number: int, who: int, voters: list[str], option: str) -> None:
        place = self.place(number)
        deed = self.sending(place, self.actor(place, who), "red asks")
        deed.params["parts"] = [*text("red asks"), POLL, LIST]
        send = deed.model

        def model() -> Any:
            post = send()
            post.asked = True
            return post

        deed.model = model
        self.do(deed)
        for user in (*voters, GONE) if place.posts else ():
            self.vote(0, 0, user, option, False)
            self.tick(0, 0, user, option, False)

    @precondition(lambda self: any(place.posts for place in self.model.places))
    @rule(number=messages, which=messages, user=someone, option=st.sampled_from(OPTIONS), back=rarely)
    def vote(self, number: int, which: int, user: str, option: str, back: bool) -> None:
        place, seq = self.asking(number, which)
        chosen = None if back else option
        operation, given = ("polls.retract", {}) if back else ("polls.vote", {"options": [option]})
        model = partial(vote, self.model, user, place, seq, chosen)
        self.do(self.deed(operation, user, place, model, message=seq, **given))

    @precondition(lambda self: any(place.posts for place in self.model.places))
    @rule(number=messages, which=messages, user=someone, item=st.sampled_from(OPTIONS), back=rarely)
    def tick(self, number: int, which: int, user: str, item: str, back: bool) -> None:
        place, seq = self.asking(number, which)
        model = partial(tick, self.model, user, place, seq, item, not back)
        operation = "checklists.uncheck" if back else "checklists.check"
        self.do(self.deed(operation, user, place, model, message=seq, item=item))

    @precondition(lambda self: self.model.places)
    @rule(number=numbers, who=actors, said=st.sampled_from(("half", "a word", None)), again=st.booleans())
    def draft(self, number: int, who: int, said: str | None, again: bool) -> None:
        place = self.place(number)
        user = self.actor(place, who)
        for words in (said, "more") if again else (said,):
            operation, given = (
                ("drafts.remove", {}) if words is None else ("drafts.set", {"parts": text(words)})
            )
            self.do(
                self.deed(operation, user, place, partial(draft, self.model, user, place, words), **given)
            )

    @precondition(lambda self: self.model.places)
    @rule(number=numbers, who=actors, other=someone, banned=st.booleans(), brief=st.booleans())
    def ban(self, number: int, who: int, other: str, banned: bool, brief: bool) -> None:
        place = self.place(number)
        user = self.actor(place, who)
        if who == 0 and place.joined:  # somebody who has something to lose there
            other = place.joined[-1]
        self.do(
            self.deed(
                "drafts.set", other, place, partial(draft, self.model, other, place, "so"), parts=text("so")
            )
        )
        until = self.world.clock.now() + BRIEF if brief and banned else None
        given = {"user": other, "kind": "ban"} | ({} if until is None else {"until": until})
        operation = "restrictions.set" if banned else "restrictions.lift"
        model = partial(ban, self.model, user, place, other, banned, until)
        self.do(self.deed(operation, user, place, model, **given))
        self.do(self.deed("members.join", other, place, lambda: self.model.join(other, place)))
        self.do(self.adding(place, user, [other], None, False))


def answered(model: Model, user: str, place: Place, seq: int) -> Post:
    """A message with a poll and a list that the user may answer."""
    model.access(user, place, "react")
    model.writable(user, place)
    post = model.find(user, place, seq)
    refuse(ErrorCode.MESSAGE_DELETED, post.deleted)
    refuse(ErrorCode.NOT_FOUND, not post.asked)
    return post


def vote(model: Model, user: str, place: Place, seq: int, option: str | None) -> None:
    post = answered(model, user, place, seq)
    if post.votes.get(user) == option:
        return
    post.votes.pop(user, None)  # the last one to have voted so is named last
    if option is not None:
        post.votes[user] = option
    place.log.append(("message.annotated", seq))


def tick(model: Model, user: str, place: Place, seq: int, item: str, done: bool) -> None:
    post = answered(model, user, place, seq)
    if (item in post.done) is done:
        return
    if done:
        post.done[item] = user
    else:
        del post.done[item]
    place.log.append(("message.annotated", seq))


def draft(model: Model, user: str, place: Place, words: str | None) -> None:
    model.access(user, place)
    refuse(ErrorCode.PERMISSION_DENIED, place.role(user) is None)
    if place.drafts.get(user) == words:
        return
    if words is None:
        del place.drafts[user]
    else:
        place.drafts[user] = words
    model.tell(user, "draft.changed", place)


def ban(model: Model, user: str, place: Place, other: str, banned: bool, until: float | None) -> None:
    model.access(user, place, "moderate")
    mine, theirs = place.role(user), place.role(other)
    above = mine is not None and model.gives(mine, theirs or "guest", "reader")
    if user == other or not above:
        raise RefusedError(ErrorCode.PERMISSION_DENIED)
    before = model.kept_out(other, place)
    if banned:
        place.bans[other] = until
        seat = place.seats.get(other)
        if seat is not None and seat.state != "left":
            model.go(place, other)
    else:
        place.bans.pop(other, None)
    if banned or before:
        model.tell(other, "restriction.changed", place)
