"""Random votes, edits and deletions, against a model: who has voted for what text."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from tests.chat.world import World

from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio
USERS = ("ada", "bob", "cleo", "dan")
STEPS = 60


@dataclass
class Model:
    """A poll: texts by the ids that the server has given, and the ids that each user has voted for."""

    options: dict[str, str]
    votes: dict[str, set[str]] = field(default_factory=dict)
    closed: bool = False
    gone: bool = False


def options_of(message: Any) -> dict[str, str]:
    (part,) = map(msgspec.json.decode, message.parts)
    return {each["id"]: each["text"] for each in part["options"]}


@pytest.mark.parametrize("seed", range(6))
async def test_a_poll_is_what_was_done_to_it(chat: World, seed: int) -> None:
    chance = random.Random(seed)
    fields: dict[str, Any] = {
        "multiple": chance.random() < 0.5,
        "anonymous": chance.random() < 0.5,
        "results": chance.choice(("always", "after_vote", "closed")),
    }
    id = await chat.group(*USERS)
    texts = ["a", "b", "c"]

    def parts(texts: list[Any]) -> list[dict[str, Any]]:
        options = [each if isinstance(each, dict) else {"text": each} for each in texts]
        return [{"type": "poll", "question": "?", "options": options, **fields}]

    sent = (await chat.do("messages.send", "ada", conversation=id, parts=parts(texts))).message
    of = {"conversation": id, "message": sent.seq}
    model = Model(options_of(sent))
    for _ in range(STEPS):
        user = chance.choice(USERS)
        what = chance.choices(("vote", "retract", "edit", "close", "delete"), (60, 15, 20, 2, 1))[0]
        refusal: ErrorCode | None = None
        try:
            if what == "vote":
                most = 3 if fields["multiple"] else 1
                chosen = chance.sample(
                    sorted(model.options), chance.randint(1, min(most, len(model.options)))
                )
                await chat.do("polls.vote", user, **of, options=chosen)
                model.votes[user] = set(chosen)
            elif what == "retract":
                await chat.do("polls.retract", user, **of)
                model.votes.pop(user, None)
            elif what == "edit":
                kept = [
                    {"id": each, "text": chance.choice((text, text + "!"))} if chance.random() < 0.5 else text
                    for each, text in model.options.items()
                    if chance.random() < 0.8
                ]
                fresh = [
                    f"n{chance.randrange(10**6)}" for _ in range(max(2 - len(kept), chance.randint(0, 1)))
                ]
                mixed = kept + fresh
                chance.shuffle(mixed)
                before = model.options
                await chat.do("messages.edit", "ada", **of, parts=parts(mixed))
                model.options = options_of(await chat.do("messages.get", "ada", **of))
                assert len(model.options) == len(mixed)
                assert set(before) & set(model.options) == {
                    next(i for i, text in before.items() if text == each)
                    if isinstance(each, str)
                    else each["id"]
                    for each in kept
                }
                model.votes = {
                    user: left for user, votes in model.votes.items() if (left := votes & set(model.options))
                }
            elif what == "close":
                await chat.do("polls.close", "ada", **of)
                model.closed = True
            else:
                await chat.do("messages.delete", "ada", **of)
                model.gone = True
        except HubbubError as error:
            refusal = error.code
        if model.gone:
            assert refusal in (None, ErrorCode.MESSAGE_DELETED)
            continue
        closed = (ErrorCode.CONFLICT, ErrorCode.VALIDATION_FAILED) if model.closed else ()
        assert refusal is None or refusal in closed
        seen = await chat.do("polls.get", user, **of)
        mine = model.votes.get(user, set())
        assert set(seen.mine) == mine
        assert seen.poll.voters == len(model.votes)
        shown = (
            fields["results"] == "always"
            or model.closed
            or (fields["results"] == "after_vote" and bool(mine))
        )
        assert seen.results == shown
        if shown:
            counted = {each.id: each.votes for each in seen.poll.options}
            assert counted == {
                each: sum(each in votes for votes in model.votes.values()) for each in model.options
            }
        else:
            assert seen.poll.options == ()
    await chat.check()
