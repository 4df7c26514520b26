"""Slash commands: registered by programs, given by users in conversations, answered to who has given them.

A command's program is a user of the kind agent or service, whose commands work where it is a member (or everywhere, if
the server says so), or the server's own (`@app.command`). See `chat/invocations.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat import agenda, limits, text
from hubbub.chat.events import CommandAnswered, CommandInvoked
from hubbub.chat.invocations import (
    ANSWERABLE,
    Invocation,
    InvocationId,
    Kind,
    answerable,
    ask,
    asked,
    count,
    encoded,
    may_answer,
    row_of,
    sayable,
    unblocked,
    unheard,
)
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.messages import find, writable
from hubbub.chat.model import ConversationId, ConversationKind, Seq, UserId
from hubbub.chat.operations import Caller, Nothing, run, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.rows import ConversationRow
from hubbub.chat.sending import Parts
from hubbub.chat.users import myself, no_such_user
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.tables import commands, members, users

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

KIND: Kind = "command"
ASK = "command.ask"
"""As the agenda calls it."""

NAME = r"^[a-z0-9][a-z0-9_-]{0,31}$"
CommandName = Annotated[str, Meta(pattern=NAME, examples=["remind"])]
ArgumentName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$(?!\n)", examples=["when"])]
Described = Annotated[str, Meta(description="At most `limits.option_length` code points.")]


class Argument(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An argument by its name. With `choices` it is one of them."""

    name: ArgumentName
    description: Described = ""
    required: bool = False
    choices: Annotated[tuple[str, ...], Meta(max_length=100)] = ()


class Registration(Struct, frozen=True, omit_defaults=True):
    """The column `data` of a command."""

    description: str = ""
    usage: str = ""
    arguments: tuple[Argument, ...] = ()
    kinds: tuple[ConversationKind, ...] = ()
    everywhere: bool = False


class RegisterCommand(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A command. `owner` is the user whose program answers: for the server alone to say. `everywhere`: also where the
    owner is no member; for the server alone, too."""

    name: CommandName
    owner: UserId | None = None
    description: Described = ""
    usage: Annotated[str, Meta(examples=["[what] [when]"])] = ""
    arguments: Annotated[tuple[Argument, ...], Meta(max_length=20)] = ()
    kinds: tuple[ConversationKind, ...] = ()
    everywhere: bool = False


class UnregisterCommand(Struct, frozen=True, forbid_unknown_fields=True):
    """A command."""

    name: CommandName


class ListCommands(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A page of the commands that can be given in a `conversation`, or of one's own; of all, for the server."""

    conversation: ConversationId | None = None
    limit: PageLimit | None = None
    cursor: After | None = None


class Command(Struct, frozen=True, omit_defaults=True):
    """A command. `owner` is the user whose program answers, absent for the server's own. `kinds`: of conversations in
    which it works; without any in all. `everywhere`: also where its owner is no member."""

    name: str
    owner: str | None = None
    description: str = ""
    usage: str = ""
    arguments: tuple[Argument, ...] = ()
    kinds: tuple[ConversationKind, ...] = ()
    everywhere: bool = False


class CommandPage(Struct, frozen=True, omit_defaults=True):
    """Commands by name. `next` is absent on the last page."""

    commands: tuple[Command, ...]
    next: str | None = None


class InvokeCommand(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A command that is given: `text` is what was written behind its name, `arguments` what was filled in. `thread` is
    the seq of the message in whose thread it was given."""

    conversation: ConversationId
    name: CommandName
    text: str = ""
    arguments: Annotated[dict[ArgumentName, str], Meta(max_length=20)] = {}
    thread: Seq | None = None


class Invoked(Struct, frozen=True):
    """What it is named by when it is answered."""

    invocation: str


class AnswerCommand(Struct, frozen=True, forbid_unknown_fields=True):
    """`parts` are shown to who has given the command, and to nobody else."""

    invocation: InvocationId
    parts: Parts


class Given(Struct, frozen=True, omit_defaults=True):
    """A command that somebody has given, for the server's own program."""

    invocation: str
    conversation: str
    user: str
    name: str
    text: str = ""
    arguments: dict[str, str] = {}
    thread: int | None = None


OnCommand = Callable[[Given], Awaitable[tuple[Any, ...] | list[Any] | None]]
"""Gives what is to be shown to who has given it: parts, which are JSON objects as `messages.send` takes them."""


class Program(Struct, frozen=True):
    """A command of the server's own."""

    command: Command
    run: OnCommand


class _Said(Struct, frozen=True, omit_defaults=True):
    name: str
    text: str = ""
    arguments: dict[str, str] = {}
    thread: int | None = None


_said = msgspec.json.Decoder(_Said).decode
_registration = msgspec.json.Decoder(Registration).decode


def program(command: Command, run: OnCommand) -> Program:
    """Raises ValueError for a name that cannot be given."""
    try:
        msgspec.convert({"name": command.name}, UnregisterCommand)
    except msgspec.ValidationError as error:
        raise ValueError(f"{command.name!r} is no name of a command: {error}") from None
    return Program(command, run)


# --- registering --------------------------------------------------------------------------------------------------


@write("commands.register", "PUT", "/commands/{name}")
def register(ledger: Ledger, actor: Actor, params: RegisterCommand) -> Command:
    """Register a command, or change one's own.

    It is for programs: the server, which names the `owner`, and users of the kinds agent and service. Raises
    PERMISSION_DENIED, NOT_FOUND for an owner that is no user, CONFLICT for a name that is another's, VALIDATION_FAILED,
    and LIMIT_EXCEEDED (`limits.commands`, `limits.option_length`).
    """
    owner = _owner(ledger, actor, params)
    said = _checked(ledger, params)
    old = ledger.execute(sa.select(commands.c.owner).where(commands.c.name == params.name)).scalar()
    if _own(ledger, params.name) is not None or (old is not None and old != owner and not actor.server):
        raise HubbubError(ErrorCode.CONFLICT, "the name is another program's", field="name")
    data = msgspec.json.encode(said).decode()
    values = {"owner": owner, "data": data, "changed": ledger.tx.stamp}
    if old is None:
        columns = ("name", "owner", "data", "created", "changed")
        row = (params.name, owner, data, ledger.now, ledger.tx.stamp)
        if not bulk.insert(ledger.tx, commands, columns, [row], ignore=True):
            raise HubbubError(ErrorCode.CONFLICT, "the name is another program's", field="name")
        total = ledger.execute(sa.select(sa.func.count()).select_from(commands)).scalar() or 0
        limits.check(ledger.config.limits, "commands", total, "name")
    else:
        ledger.execute(commands.update().where(commands.c.name == params.name).values(values))
    return _public(params.name, owner, data)


def _owner(ledger: Ledger, actor: Actor, params: RegisterCommand) -> str:
    if actor.server:
        if params.owner is None:
            raise HubbubError(ErrorCode.VALIDATION_FAILED, "owner: whose program answers?", field="owner")
        if ledger.missing_users([params.owner]):
            raise no_such_user("owner")
        return params.owner
    if params.owner not in (None, actor.user) or params.everywhere:
        field = "everywhere" if params.everywhere else "owner"
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED, f"permission denied: {field} is for the server API", field=field
        )
    kind = ledger.execute(sa.select(users.c.kind).where(users.c.id == actor.user)).scalar()
    if kind not in ("agent", "service"):
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "permission denied: programs register commands")
    return actor.user


def _checked(ledger: Ledger, params: RegisterCommand) -> Registration:
    most = ledger.config.limits

    def line(value: str, field: str) -> str:
        if not value:
            return value
        found = " ".join(text.text(value, field).split())
        limits.check(most, "option_length", len(found), field)
        return found

    arguments = tuple(
        Argument(
            each.name,
            line(each.description, f"arguments[{place}].description"),
            each.required,
            tuple(line(choice, f"arguments[{place}].choices") for choice in each.choices),
        )
        for place, each in enumerate(params.arguments)
    )
    if len({each.name for each in arguments}) < len(arguments):
        raise HubbubError(ErrorCode.VALIDATION_FAILED, "arguments: two have one name", field="arguments")
    kinds = tuple(dict.fromkeys(params.kinds))
    said = (line(params.description, "description"), line(params.usage, "usage"))
    return Registration(*said, arguments, kinds, params.everywhere)


@write("commands.unregister", "DELETE", "/commands/{name}")
def unregister(ledger: Ledger, actor: Actor, params: UnregisterCommand) -> Nothing:
    """Take a command away. Raises NOT_FOUND, also for another program's."""
    where = [commands.c.name == params.name]
    if not actor.server:
        where.append(commands.c.owner == actor.user)
    if not ledger.execute(commands.delete().where(*where)).rowcount:
        raise _missing()
    return Nothing()


@run("commands.list", "GET", "/commands")
async def page(chat: Chat, caller: Caller, params: ListCommands) -> CommandPage:
    """The commands that one can give in a conversation, by name; without one, those that one has registered.

    Raises NOT_FOUND.
    """
    return await chat.read(lambda view: _listed(view, caller.actor, params, chat.programs))


def _listed(view: View, actor: Actor, params: ListCommands, own: dict[str, Program]) -> CommandPage:
    size = page_size(view.config, params.limit)
    after = read_cursor(params.cursor, tuple[str])[0] if params.cursor is not None else ""
    query = sa.select(commands.c.name, commands.c.owner, commands.c.data).where(commands.c.name > after)
    row = None
    if params.conversation is not None:
        row, _ = view.access(actor, params.conversation, "read")
    elif not actor.server:
        query = query.where(commands.c.owner == actor.user)
    found = [_public(*each) for each in view.execute(query)]
    if row is not None or actor.server:
        found += [each.command for name, each in own.items() if name > after]
    if row is not None:
        owners = [each.owner for each in found if each.owner is not None and not each.everywhere]
        inside = _inside(view, row, owners)
        kind = row.kind
        found = [
            each
            for each in found
            if (each.everywhere or each.owner is None or each.owner in inside)
            and (not each.kinds or kind in each.kinds)
        ]
    found.sort(key=lambda each: each.name)
    more = len(found) > size
    found = found[:size]
    return CommandPage(tuple(found), cursor(found[-1].name) if more else None)


def _inside(view: View, row: ConversationRow, owners: list[str]) -> set[str]:
    query = sa.select(members.c.user).where(
        members.c.conversation == row.id, members.c.state == "joined", members.c.user.in_(owners)
    )
    return set(view.execute(query).scalars())


# --- giving -------------------------------------------------------------------------------------------------------


@write("commands.invoke", "POST", "/conversations/{conversation}/commands/{name}", status=202)
def invoke(ledger: Ledger, actor: Actor, params: InvokeCommand) -> Invoked:
    """Give a command in a conversation.

    Nobody sees it but its program, which hears of it by `command.invoked` and may answer by `command.answered`, or by a
    message of its own. Raises NOT_FOUND (of a command that does not work there, too), PERMISSION_DENIED,
    CONVERSATION_CLOSED, RESTRICTED, VALIDATION_FAILED for arguments that it does not have, and MESSAGE_TOO_LARGE
    (`limits.text_length`).
    """
    user = myself(actor)
    row, member = ledger.access(actor, params.conversation, "command", lock=True)
    writable(ledger, actor, row)
    command = _usable(ledger, row, params.name)
    if params.thread is not None:
        find(ledger, actor, row, member, params.thread, "thread")
    if command.owner is not None:
        unblocked(ledger, command.owner, user, "name")
    said = _Said(params.name, *_filled(ledger, command, params), params.thread)
    if (nobody := unheard(ledger, row, user, command.owner)) is not None:
        return Invoked(nobody)
    id = ask(ledger, KIND, row, user, command.owner, said)
    if command.owner is None:
        ledger.schedule(ASK, ledger.now, conversation=row.id, data=id)
    else:
        ledger.tell(
            command.owner,
            CommandInvoked,
            invocation=id,
            conversation=row.id,
            user=user,
            **msgspec.structs.asdict(said),
        )
    return Invoked(id)


def _usable(ledger: Ledger, row: ConversationRow, name: str) -> Command:
    own = _own(ledger, name)
    if own is not None:
        command = own.command
    else:
        query = sa.select(commands.c.name, commands.c.owner, commands.c.data).where(commands.c.name == name)
        found = ledger.execute(query).first()
        if found is None:
            raise _missing()
        command = _public(*found)
        assert command.owner is not None
        if not command.everywhere and not _inside(ledger, row, [command.owner]):
            raise _missing()
    if command.kinds and row.kind not in command.kinds:
        raise _missing()
    return command


def _filled(ledger: Ledger, command: Command, params: InvokeCommand) -> tuple[str, dict[str, str]]:
    """What was written and filled in, in NFC."""
    most = ledger.config.limits
    words = text.text(params.text, "text") if params.text else ""
    limits.check(most, "text_length", len(words), "text")
    known = {each.name: each for each in command.arguments}
    filled: dict[str, str] = {}
    for name, value in params.arguments.items():
        field = f"arguments.{name}"
        if name not in known:
            raise HubbubError(ErrorCode.VALIDATION_FAILED, f"{field}: there is no such argument", field=field)
        if value:
            filled[name] = value = text.text(value, field)
            limits.check(most, "text_length", len(words) + sum(map(len, filled.values())), field)
            if known[name].choices and value not in known[name].choices:
                raise HubbubError(
                    ErrorCode.VALIDATION_FAILED, f"{field}: not one of its choices", field=field
                )
    for each in command.arguments:
        if each.required and each.name not in filled:
            field = f"arguments.{each.name}"
            raise HubbubError(ErrorCode.VALIDATION_FAILED, f"{field}: it is missing", field=field)
    return words, filled


# --- answering ----------------------------------------------------------------------------------------------------


@write("commands.answer", "POST", "/invocations/{invocation}/answers")
def answer(ledger: Ledger, actor: Actor, params: AnswerCommand) -> Nothing:
    """Answer a command, to who has given it alone.

    It is for whose command it is, up to 5 times within half an hour. Raises NOT_FOUND for what is not, or no more, to
    be answered by who asks, LIMIT_EXCEEDED, and what `messages.send` raises of parts.
    """
    row, found = answerable(ledger, actor, KIND, params.invocation)
    _answer(ledger, row, actor, found, params)
    return Nothing()


def _answer(
    ledger: Ledger, row: ConversationRow, actor: Actor, found: Invocation, params: AnswerCommand
) -> None:
    """`row` is locked."""
    count(ledger, found)
    said = sayable(ledger, row, found, params.parts)
    if actor.user:
        if ledger.member(row.id, actor.user) is not None:
            may_answer(ledger, actor, row, found)
        else:  # of a command that works everywhere
            unblocked(ledger, actor.user, found.user, "invocation")
    _tell(ledger, found, parts=said)


def _tell(ledger: Ledger, found: Invocation, **fields: Any) -> None:
    ledger.tell(
        found.user,
        CommandAnswered,
        invocation=found.id,
        conversation=found.conversation,
        name=_said(found.data).name,
        **fields,
    )


# --- the server's own programs ------------------------------------------------------------------------------------


async def _ask(chat: Chat, item: agenda.Item) -> AnswerCommand | None:
    """Ask the program of this node. It may be asked again if the node dies before its answer is kept."""
    found = await chat.read(lambda view: row_of(item, view, KIND))
    if found is None:
        return None
    said = _said(found.data)
    own = chat.programs.get(said.name)
    if own is None:  # another version of the application: let a node do it that knows it
        raise HubbubError(ErrorCode.OVERLOADED, "no program for it here")
    given = Given(found.id, found.conversation, found.user, said.name, said.text, said.arguments, said.thread)
    shown = await asked(own.run, given, chat.config)
    return None if shown is None else AnswerCommand(found.id, encoded(tuple(shown)))


def _answered(ledger: Ledger, item: agenda.Item, given: AnswerCommand | None) -> None:
    found = row_of(item, ledger, KIND)
    if given is None or found is None:
        return
    row = ledger.find(found.conversation, lock=True)
    if row is not None:
        _answer(ledger, row, Actor(), found, given)


def _refused(ledger: Ledger, item: agenda.Item, error: HubbubError) -> None:
    if (found := row_of(item, ledger, KIND)) is not None:
        _tell(ledger, found, failed=True)


# ------------------------------------------------------------------------------------------------------------------


def _own(ledger: Ledger, name: str) -> Program | None:
    return None if ledger.chat is None else ledger.chat.programs.get(name)


def _public(name: str, owner: str, data: str) -> Command:
    return Command(name, owner, **msgspec.structs.asdict(_registration(data)))


def _missing() -> HubbubError:
    return HubbubError(ErrorCode.NOT_FOUND, "there is no such command", field="name")


OPERATIONS = (register, unregister, page, invoke, answer)
HANDLERS = (
    agenda.Handler(ASK, _answered, cast("Any", _ask), _refused, lease=ANSWERABLE / 30, patience=ANSWERABLE),
)
