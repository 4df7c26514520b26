"""`hubbub users`: who there is, what is to be known of one, and the rights that each has."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hubbub.cli import chat
from hubbub.cli.asking import Asker, Limit, command
from hubbub.cli.tables import ago, facts, lines, moment, size, table

User = Annotated[str, typer.Argument(help="Id of the user.")]
KINDS = "person, agent, service"
OFFICES = "none, moderator, admin"

users = typer.Typer(help="List, show, make, export and erase users.", no_args_is_help=True)


def add_to(cli: typer.Typer) -> None:
    cli.add_typer(users, name="users")


@command(users, "list")
def list_users(
    ask: Asker,
    prefix: Annotated[str | None, typer.Argument(help="Beginning of ids, or of words of names.")] = None,
    kind: Annotated[str | None, typer.Option(help=f"Of this kind: {KINDS}.")] = None,
    office: Annotated[str | None, typer.Option(help=f"With this office: {OFFICES}.")] = None,
    limit: Limit = 100,
) -> None:
    """List users, in the order of their ids."""
    found = list(ask.each("administration.users", "users", limit, prefix=prefix, kind=kind, office=office))
    if ask.json:
        lines(found)
        return
    rows = [
        (
            each["user"]["id"],
            each["user"].get("name", ""),
            each["user"].get("kind", "person"),
            _office(each),
            _seen(each),
        )
        for each in found
    ]
    table(("USER", "NAME", "KIND", "OFFICE", "LAST SEEN"), rows, "no users", cut=("NAME",))


@command(users, "show")
def show(ask: Asker, user: User) -> None:
    """Show what there is to be known of a user."""
    found = ask.do("administration.user", user=user)
    if ask.json:
        lines([found])
        return
    account = found["account"]
    about = account["user"]
    facts(
        (
            ("user", about["id"]),
            ("name", about.get("name") or None),
            ("kind", about.get("kind", "person")),
            ("office", account.get("office", "none")),
            ("known since", moment(about.get("created"))),
            ("last seen", _seen(account) or "never"),
            ("shown to", found["show_last_seen"]),
            ("conversations", found["conversations"]),
            ("invitations", found["invitations"]),
            ("files", f"{found['files']:,} ({size(found['file_bytes'])})"),
            ("legal hold", "yes" if found["legal_hold"] else None),
            *(("restricted", _restricted(each)) for each in found["restrictions"]),
        )
    )


@command(users, "create")
def create(
    ask: Asker,
    user: User,
    name: Annotated[str | None, typer.Option(help="Name that others see.")] = None,
    kind: Annotated[str | None, typer.Option(help=f"{KINDS}.")] = None,
    office: Annotated[str | None, typer.Option(help=f"What it may do everywhere: {OFFICES}.")] = None,
    avatar: Annotated[str | None, typer.Option(metavar="URL", help="Its picture.")] = None,
) -> None:
    """Make a user, or change one that is there. What is not given stays as it is."""
    made = ask.do("users.upsert", user=user, name=name, kind=kind, office=office, avatar=avatar)
    ask.tell(made, f"{made['id']}: {made.get('kind', 'person')} {made.get('name', '')}".rstrip())


users.command("export")(chat.export)
users.command("erase")(chat.erase)


def _office(account: dict[str, Any]) -> str:
    return str(account.get("office", "")).replace("none", "")


def _seen(account: dict[str, Any]) -> str:
    if "erased" in account:
        return "erased"
    return "now" if account.get("online") else ago(account["user"].get("last_seen"))


def _restricted(found: dict[str, Any]) -> str:
    where = f"in {found['conversation']}" if "conversation" in found else "everywhere"
    until = f" until {moment(found['until'])}" if "until" in found else ""
    reason = f": {found['reason']}" if found.get("reason") else ""
    return f"{found['kind']} {where}{until}{reason}"
