"""`hubbub conversations`: which there are, who is in them, and what an administrator does with them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hubbub.cli.asking import Asker, Limit, command
from hubbub.cli.output import Problem, words
from hubbub.cli.tables import ago, facts, lines, moment, table

Id = Annotated[str, typer.Argument(metavar="CONVERSATION", help="Id of the conversation.")]
Member = Annotated[str, typer.Argument(help="Id of the user.")]
Members = Annotated[list[str], typer.Argument(help="Ids of the users.")]
ROLES = "owner, admin, moderator, member, reader"
Role = Annotated[str | None, typer.Option(help=f"{ROLES}.", show_default="the kind's")]

conversations = typer.Typer(
    help="List, show, make, change and close conversations, and say who is in them.", no_args_is_help=True
)


def add_to(cli: typer.Typer) -> None:
    cli.add_typer(conversations, name="conversations")


@command(conversations, "list")
def list_conversations(
    ask: Asker,
    query: Annotated[str | None, typer.Argument(help="Beginning of a word of names.")] = None,
    kind: Annotated[str | None, typer.Option(help="Of this kind: direct, group, broadcast, topic.")] = None,
    user: Annotated[str | None, typer.Option(help="That this user is in.")] = None,
    closed: Annotated[
        bool | None, typer.Option("--closed/--open", help="That take messages or not.", show_default="all")
    ] = None,
    limit: Limit = 100,
) -> None:
    """List conversations, that with the newest message first."""
    fields = {"query": query, "kind": kind, "user": user, "closed": closed}
    found = list(ask.each("administration.conversations", "conversations", limit, **fields))
    if ask.json:
        lines(found)
        return
    rows = [
        (
            (about := each["conversation"])["id"],
            about["kind"],
            _name(about, each.get("between", ())),
            about.get("members", 0),
            about.get("messages", 0),
            ago(about["last_activity"]),
        )
        for each in found
    ]
    head = ("CONVERSATION", "KIND", "NAME", "MEMBERS", "MESSAGES", "ACTIVE")
    table(head, rows, "no conversations", numbers=("MEMBERS", "MESSAGES"), cut=("NAME",))


@command(conversations, "show")
def show(ask: Asker, conversation: Id) -> None:
    """Show a conversation."""
    found = ask.do("conversations.get", conversation=conversation)
    if ask.json:
        lines([found])
    else:
        _show(found["conversation"])


@command(conversations, "create")
def create(
    ask: Asker,
    kind: Annotated[str, typer.Argument(help="group, broadcast or topic.")],
    members: Annotated[list[str] | None, typer.Argument(help="Ids of its members.")] = None,
    name: Annotated[str | None, typer.Option(help="Its name.")] = None,
    owner: Annotated[str | None, typer.Option(help="Who owns it.", show_default="nobody")] = None,
) -> None:
    """Make a conversation."""
    inside = [{"user": user} for user in members or ()]
    made = ask.do("conversations.create", kind=kind, name=name, owner=owner, members=inside)
    ask.tell(made, made["conversation"]["id"])


@command(conversations, "rename")
def rename(ask: Asker, conversation: Id, name: Annotated[str, typer.Argument(help="Its new name.")]) -> None:
    """Give a conversation another name."""
    _changed(ask, ask.do("conversations.update", conversation=conversation, name=name))


@command(conversations, "close")
def close(ask: Asker, conversation: Id) -> None:
    """Close a conversation: it can be read, and takes no more messages."""
    _changed(ask, ask.do("conversations.update", conversation=conversation, closed=True))


@command(conversations, "reopen")
def reopen(ask: Asker, conversation: Id) -> None:
    """Have a closed conversation take messages again."""
    _changed(ask, ask.do("conversations.update", conversation=conversation, closed=False))


@command(conversations, "archive")
def archive(ask: Asker, conversation: Id) -> None:
    """Put a conversation away for one user (`--as`), whose list does not show it any more. `close` is for all."""
    answer = _settings(ask, conversation, archived=True)
    ask.tell(answer, f"{conversation} is archived")


@command(conversations, "unarchive")
def unarchive(ask: Asker, conversation: Id) -> None:
    """Take a conversation out of the archive of one user (`--as`)."""
    answer = _settings(ask, conversation, archived=False)
    ask.tell(answer, f"{conversation} is not archived")


@command(conversations, "members")
def list_members(
    ask: Asker,
    conversation: Id,
    state: Annotated[str | None, typer.Option(help="joined, invited or left.", show_default="joined")] = None,
    role: Annotated[str | None, typer.Option(help=f"With this role: {ROLES}.")] = None,
    limit: Limit = 1_000,
) -> None:
    """List who is in a conversation."""
    fields = {"conversation": conversation, "state": state, "role": role}
    found = list(ask.each("members.list", "members", limit, **fields))
    if ask.json:
        lines(found)
        return
    rows = [
        (
            each["user"],
            each.get("role", "member"),
            each.get("state", "joined"),
            ago(each.get("since")),
            each.get("read", 0),
        )
        for each in found
    ]
    table(("USER", "ROLE", "STATE", "SINCE", "READ"), rows, "no members", numbers=("READ",))


@command(conversations, "add")
def add(
    ask: Asker,
    conversation: Id,
    users: Members,
    role: Role = None,
    invite: Annotated[bool, typer.Option("--invite", help="Ask them first.")] = False,
) -> None:
    """Add users to a conversation."""
    answer = ask.do("members.add", conversation=conversation, users=users, role=role, invite=invite or None)
    said = [f"{each['user']}: {_member(each)}" for each in answer["members"]]
    ask.tell(answer, "\n".join(said))


@command(conversations, "role")
def give_role(
    ask: Asker, conversation: Id, user: Member, role: Annotated[str, typer.Argument(help=f"{ROLES}.")]
) -> None:
    """Give a member another role."""
    answer = ask.do("members.update", conversation=conversation, user=user, role=role)
    ask.tell(answer, f"{user}: {answer.get('role', 'member')}")


@command(conversations, "remove")
def remove(ask: Asker, conversation: Id, user: Member) -> None:
    """Remove a member. It may be added again; `hubbub moderation restrict` keeps it out."""
    ask.tell(ask.do("members.remove", conversation=conversation, user=user), f"{user} is removed")


def _settings(ask: Asker, conversation: str, **fields: Any) -> dict[str, Any]:
    if ask.user is None:
        raise Problem("an archive is one user's.", "say whose with --as; `close` is for all.")
    return ask.do("conversations.settings", conversation=conversation, **fields)


def _member(found: dict[str, Any]) -> str:
    return f"{found.get('state', 'joined')} as {found.get('role', 'member')}"


def _changed(ask: Asker, conversation: dict[str, Any]) -> None:
    if ask.json:
        lines([conversation])
    else:
        _show(conversation)


def _show(about: dict[str, Any]) -> None:
    retention = about.get("retention")
    facts(
        (
            ("conversation", about["id"]),
            ("kind", about["kind"]),
            ("name", about.get("name")),
            ("topic", about.get("topic")),
            ("state", "closed" if about.get("closed") else "open"),
            ("members", about.get("members", 0)),
            ("messages", about.get("messages", 0)),
            ("made", moment(about.get("created"))),
            ("by", about.get("created_by")),
            ("last activity", moment(about.get("last_activity"))),
            ("history", "from when one has joined" if about.get("history") == "joined" else None),
            ("permissions", ", ".join(f"{k}: {v}" for k, v in about.get("permissions", {}).items()) or None),
            ("slow mode", f"{about['slow_mode']:g} s" if about.get("slow_mode") else None),
            (
                "messages kept",
                "as the settings say" if retention is None else words(retention) if retention else "for ever",
            ),
        )
    )


def _name(about: dict[str, Any], between: tuple[str, ...]) -> str:
    name = str(about.get("name") or " and ".join(between))
    return f"{name} (closed)".lstrip() if about.get("closed") else name
