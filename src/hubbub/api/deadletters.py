"""Dead letters: what the broker brought and a node could not handle."""

from __future__ import annotations

from typing import Annotated

from litestar import delete, get, post
from litestar.params import PathParameter, QueryParameter

from hubbub.api.context import Context
from hubbub.api.parameters import PageLimit
from hubbub.api.schemas import DeadLetterInfo, DeadLetterPage, Dropped
from hubbub.broker.deadletters import DeadLetter, check_id, letters_of, opened, replay
from hubbub.errors import ErrorCode, HubbubError

LetterInPath = Annotated[str, PathParameter(description="Id of the dead letter.")]
TAG = "Dead letters"


def _info(letter: DeadLetter, *, whole: bool = False) -> DeadLetterInfo:
    push = None
    if whole:
        try:
            push = opened(letter).push
        except HubbubError:
            push = None  # that is why it is here
    return DeadLetterInfo(
        letter.id,
        letter.time,
        letter.channel,
        letter.reason,
        letter.detail,
        letter.node,
        letter.size,
        letter.frame if whole else b"",
        push,
    )


@get("/dead-letters", operation_id="listDeadLetters", tags=[TAG], summary="List dead letters")
async def dead_letters(
    api: Context,
    before: Annotated[str, QueryParameter(description="`next` of the page before.")] = "",
    limit: PageLimit = 100,
) -> DeadLetterPage:
    """What the broker brought and a node could not handle: the newest 1,000, of all nodes."""
    found = await letters_of(api.hub.broker).page(check_id(before) if before else None, limit + 1)
    page = tuple(map(_info, found[:limit]))
    return DeadLetterPage(page, page[-1].id if len(found) > limit else None)


@get("/dead-letters/{letter:str}", operation_id="getDeadLetter", tags=[TAG], summary="Look at a dead letter")
async def dead_letter(api: Context, letter: LetterInPath) -> DeadLetterInfo:
    """All of it, with what is in it."""
    found = await letters_of(api.hub.broker).get(check_id(letter))
    if found is None:
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no such dead letter", field="id")
    return _info(found, whole=True)


@post(
    "/dead-letters/{letter:str}/replay",
    operation_id="replayDeadLetter",
    tags=[TAG],
    summary="Replay a dead letter",
    status_code=200,
)
async def replay_dead_letter(api: Context, letter: LetterInPath) -> DeadLetterInfo:
    """Publish again what is in it, to all nodes, and throw it away. Who has had it, by its offset, passes it over; what
    is in no log comes again to everybody."""
    return _info(await replay(api.hub.broker, check_id(letter)))


@delete(
    "/dead-letters/{letter:str}",
    operation_id="dropDeadLetter",
    tags=[TAG],
    summary="Throw a dead letter away",
    status_code=200,
)
async def drop_dead_letter(api: Context, letter: LetterInPath) -> Dropped:
    """One that is not there is no error."""
    return Dropped(await letters_of(api.hub.broker).drop(check_id(letter)))


@delete(
    "/dead-letters",
    operation_id="dropDeadLetters",
    tags=[TAG],
    summary="Throw all dead letters away",
    status_code=200,
)
async def drop_dead_letters(api: Context) -> Dropped:
    """All of them, of all nodes."""
    return Dropped(await letters_of(api.hub.broker).drop())


ROUTES = (dead_letters, dead_letter, replay_dead_letter, drop_dead_letter, drop_dead_letters)
