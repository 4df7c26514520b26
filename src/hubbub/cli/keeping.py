"""`hubbub retention`, `hubbub statistics`, `hubbub audit`: for how long things are kept, how much there is, who did
what."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from hubbub.cli.asking import NULL, Asker, Limit, command
from hubbub.cli.output import Problem, seconds, words
from hubbub.cli.tables import ago, facts, lines, moment, plain, said, size, table

Id = Annotated[str, typer.Argument(metavar="CONVERSATION", help="Id of the conversation.")]
Subject = Annotated[str, typer.Argument(help="user or conversation.")]
SubjectId = Annotated[str, typer.Argument(metavar="ID", help="Its id.")]
SETTINGS, FOR_EVER = "default", "forever"
BAR = 30

retention = typer.Typer(help="For how long messages are kept, and what the law keeps.", no_args_is_help=True)


def add_to(cli: typer.Typer) -> None:
    cli.add_typer(retention, name="retention")
    command(cli, "statistics")(statistics)
    command(cli, "audit")(audit)


@command(retention, "set")
def keep(
    ask: Asker,
    conversation: Id,
    duration: Annotated[
        str, typer.Argument(metavar="TIME", help="90d, 12h ...; forever; or default, as the settings say.")
    ],
) -> None:
    """Say for how long messages of a conversation are kept. Older ones are deleted within minutes, for good."""
    answer = ask.do("retention.update", conversation=conversation, retention=_kept(duration))
    kept = answer.get("retention")
    ask.tell(
        answer,
        f"{conversation}: messages are kept "
        + ("as the settings say" if kept is None else f"for {words(kept)}" if kept else "for ever"),
    )


@command(retention, "holds")
def holds(ask: Asker, limit: Limit = 1_000) -> None:
    """List legal holds."""
    found = list(ask.each("retention.holds", "holds", limit))
    if ask.json:
        lines(found)
        return
    rows = [
        (
            each["subject"],
            each["id"],
            ago(each["created"]),
            each.get("by", "the server"),
            each["reason"],
        )
        for each in found
    ]
    table(("OF", "ID", "SINCE", "BY", "REASON"), rows, "no legal holds", cut=("REASON",))


@command(retention, "hold")
def hold(
    ask: Asker,
    subject: Subject,
    id: SubjectId,
    reason: Annotated[str, typer.Option(help="Why: a case, an order.")],
) -> None:
    """Keep what is deleted from now on: in a conversation, or of what a user has written."""
    ask.tell(ask.do("retention.hold", subject=subject, id=id, reason=reason), f"{subject} {id}: held")


@command(retention, "release")
def release(ask: Asker, subject: Subject, id: SubjectId) -> None:
    """End a legal hold. What was kept stays kept."""
    ask.tell(ask.do("retention.release", subject=subject, id=id), f"{subject} {id}: not held any more")


@command(retention, "archive")
def archive(
    ask: Asker,
    conversation: Id,
    message: Annotated[int | None, typer.Option(help="Of this message alone.")] = None,
    limit: Limit = 1_000,
) -> None:
    """List what legal holds have kept of a conversation. To read it is written down."""
    found = list(ask.each("retention.archive", "archived", limit, conversation=conversation, message=message))
    if ask.json:
        lines(found)
        return
    rows = [
        (
            each["message"],
            each["version"],
            each["sender"] or "the server",
            ago(each["created"]),
            ago(each["archived"]),
            each["why"],
            said(each["parts"]),
        )
        for each in found
    ]
    head = ("MESSAGE", "VERSION", "SENDER", "WRITTEN", "DELETED", "WHY", "SAID")
    table(
        head,
        rows,
        "nothing is kept",
        numbers=(
            "MESSAGE",
            "VERSION",
        ),
    )


def statistics(
    ask: Asker, days: Annotated[int, typer.Option(min=1, max=90, help="Of messages by day.")] = 7
) -> None:
    """Show how much there is, who is active, and what waits."""
    found = ask.do("statistics.get", days=days)
    if ask.json:
        lines([found])
        return
    people, talks, waiting = found["users"], found["conversations"], found["moderation"]
    head = ("", "TOTAL", "24 HOURS", "7 DAYS", "30 DAYS")
    rows = [
        ("users active", people["total"], *_lately(people["active"])),
        ("users new", "", *_lately(people["new"])),
        ("conversations active", talks["total"], *_lately(talks["active"])),
        ("conversations new", "", *_lately(talks["new"])),
    ]
    table(head, rows, "", numbers=head[1:])
    print()
    files = found["files"]
    agenda = found["agenda"]
    facts(
        (
            ("users", _kinds(people["kinds"])),
            ("online now", people["online"]),
            ("erased", people["erased"] or None),
            ("conversations", _kinds(talks["kinds"])),
            ("closed", talks["closed"] or None),
            ("memberships", talks["members"]),
            ("messages ever", found["messages"]["total"]),
            ("files", f"{files['total']:,} ({size(files['bytes'])})"),
            ("open cases", waiting["open"]),
            ("appeals", waiting["appealed"]),
            ("waiting since", moment(waiting["oldest"]) if "oldest" in waiting else None),
            ("held messages", waiting["held"]),
            ("restrictions", _kinds(waiting["restrictions"])),
            ("legal holds", found["legal_holds"]),
            ("to do later", _kinds(agenda["kinds"])),
            ("late", f"{agenda['due']:,} since {moment(agenda.get('oldest'))}" if agenda["due"] else None),
            ("database", f"{found['storage']['database']}, {size(found['storage']['bytes'])}"),
        )
    )
    print()
    _by_day(found["messages"]["days"])


def audit(
    ask: Asker,
    act: Annotated[
        str | None, typer.Argument(help="As `members.remove`, or `cases.` for all of these.")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="By this user; '' is the server.")] = None,
    user: Annotated[str | None, typer.Option(help="Done to this user.")] = None,
    conversation: Annotated[str | None, typer.Option(help="In this conversation.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="In the last 90m, 7d ...")] = None,
    limit: Limit = 50,
) -> None:
    """List what was done by privilege, the newest first."""
    fields: dict[str, Any] = {"act": act, "actor": actor, "user": user, "conversation": conversation}
    if since is not None:
        fields["since"] = time.time() - _seconds(since)
    found = list(ask.each("audit.list", "acts", limit, **fields))
    if ask.json:
        lines(found)
        return
    rows = [
        (
            moment(each["time"]),
            each.get("actor", "the server"),
            each["act"],
            each.get("user", ""),
            _more(each),
        )
        for each in found
    ]
    table(("TIME", "BY", "ACT", "USER", "MORE"), rows, "nothing was done", cut=("MORE",))


def _kept(duration: str) -> Any:
    if duration == SETTINGS:
        return NULL
    return 0.0 if duration == FOR_EVER else _seconds(duration, f"write 90d, 12h, {FOR_EVER} or {SETTINGS}.")


def _seconds(text: str, advice: str = "write 90m, 12h or 7d.") -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise Problem(f"{error}.", advice) from error


def _lately(found: dict[str, int]) -> tuple[int, int, int]:
    return found["day"], found["week"], found["month"]


def _kinds(found: dict[str, int]) -> str:
    said = [f"{count:,} {kind}" for kind, count in sorted(found.items(), key=lambda each: -each[1])]
    return ", ".join(said) or "none"


def _by_day(days: list[dict[str, Any]]) -> None:
    most = max((each["messages"] for each in days), default=0)
    print("messages by day (UTC)")
    widest = len(f"{most:,}")
    for each in days:
        bar = "▇" * round(BAR * each["messages"] / most) if most else ""
        more = " and more" if each.get("more") else ""
        print(f"{each['day']}  {plain(each['messages']):>{widest}}{more}  {bar}".rstrip())


def _more(act: dict[str, Any]) -> str:
    found = {name: act[name] for name in ("conversation", "message") if name in act} | act["data"]
    if found.get("until") is not None:
        found["until"] = moment(found["until"])
    said = {name: f"{value:g}" if isinstance(value, float) else value for name, value in found.items()}
    return " ".join(f"{name}={value}" for name, value in said.items() if value not in (None, "", []))
