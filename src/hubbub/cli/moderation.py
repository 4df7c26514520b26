"""`hubbub moderation`: the review queue, restrictions, and the rules by which messages are judged."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from hubbub.cli.asking import Asker, Limit, command
from hubbub.cli.output import Problem, seconds
from hubbub.cli.tables import ago, facts, lines, moment, said, table

CaseId = Annotated[str, typer.Argument(metavar="CASE", help="Id of the case.")]
Where = Annotated[
    str | None,
    typer.Option("--in", metavar="CONVERSATION", help="There alone.", show_default="everywhere"),
]
For = Annotated[
    str | None,
    typer.Option(
        "--for", metavar="TIME", help="For so long: 90m, 1d, 7d.", show_default="until it is lifted"
    ),
]
Restriction = Annotated[str, typer.Argument(help="mute, ban or shadow.")]
User = Annotated[str, typer.Argument(help="Id of the user.")]
WAITING = ("open", "appealed")

moderation = typer.Typer(
    help="Look at what was reported or found, decide, restrict users, change rules.", no_args_is_help=True
)
rules = typer.Typer(help="The rules by which messages are judged.", no_args_is_help=True)
moderation.add_typer(rules, name="rules")


def add_to(cli: typer.Typer) -> None:
    cli.add_typer(moderation, name="moderation")


# --- the queue ----------------------------------------------------------------------------------------------------


@command(moderation, "queue")
def queue(
    ask: Asker,
    conversation: Annotated[str | None, typer.Option(help="Of this conversation.")] = None,
    user: Annotated[str | None, typer.Option(help="About this user.")] = None,
    state: Annotated[
        str | None, typer.Option(help="open, decided, appealed or closed.", show_default="what waits")
    ] = None,
    limit: Limit = 100,
) -> None:
    """List the cases that wait, the most urgent first."""
    fields = {"conversation": conversation, "user": user, "state": state}
    found = list(ask.each("cases.list", "cases", limit, **fields))
    if ask.json:
        lines(found)
        return
    rows = [
        (
            each["id"],
            each.get("priority", 0),
            each["subject"] if each["state"] in WAITING[:1] else f"{each['subject']}, {each['state']}",
            each.get("user", ""),
            ago(each["created"]),
            each.get("claimed_by", ""),
            _why(each),
        )
        for each in found
    ]
    head = ("CASE", "URGENT", "ABOUT", "USER", "SINCE", "CLAIMED", "WHY")
    table(head, rows, "nothing waits", numbers=("URGENT",), cut=("WHY", "ABOUT"))


@command(moderation, "show")
def show(ask: Asker, case: CaseId) -> None:
    """Show a case: what was said, who has reported it, what was noted and decided."""
    found = ask.do("cases.get", case=case)
    if ask.json:
        lines([found])
        return
    about = found["case"]
    decision = about.get("decision")
    facts(
        (
            ("case", about["id"]),
            ("about", about["subject"]),
            ("state", about["state"]),
            ("user", about.get("user")),
            ("conversation", about.get("conversation")),
            ("message", about.get("message")),
            ("held message", about.get("hold")),
            ("said", said(about["parts"]) if about.get("parts") else None),
            ("why", _why(about) or None),
            ("since", moment(about["created"])),
            ("claimed by", _claimed(about)),
            ("decided", _decided(decision) if decision else None),
            ("appealed", moment(about["appealed"]) if "appealed" in about else None),
            ("granted", None if "granted" not in about else "yes" if about["granted"] else "no"),
            *(("report", _noted(each, "reason", "note", "reporter", "created")) for each in found["reports"]),
            *(("note", _noted(each, "kind", "text", "author", "time")) for each in found["notes"]),
        )
    )


@command(moderation, "claim")
def claim(ask: Asker, case: CaseId) -> None:
    """Keep others from deciding a case for a while."""
    found = ask.do("cases.claim", case=case)
    ask.tell(found, f"{case}: claimed until {moment(found.get('claimed_until'))}")


@command(moderation, "release")
def release(ask: Asker, case: CaseId) -> None:
    """Give a case that was claimed back to all."""
    ask.tell(ask.do("cases.release", case=case), f"{case}: released")


@command(moderation, "decide")
def decide(
    ask: Asker,
    case: CaseId,
    action: Annotated[
        str,
        typer.Argument(
            help="dismiss, warn, delete, mute, ban or shadow; of held messages approve or reject, too."
        ),
    ],
    until: For = None,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="A restriction holds in all conversations.")
    ] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the message, too.")] = False,
    text: Annotated[str | None, typer.Option(help="What its user is told.")] = None,
    note: Annotated[str | None, typer.Option(help="What moderators are told.")] = None,
) -> None:
    """Decide a case, and have it done."""
    found = ask.do(
        "cases.decide",
        case=case,
        action=action,
        until=_until(until),
        everywhere=everywhere or None,
        delete=delete or None,
        text=text,
        note=note,
    )
    ask.tell(found, f"{case}: {action}; it is {found['state']}")


@command(moderation, "answer")
def answer(
    ask: Asker,
    case: CaseId,
    granted: Annotated[bool, typer.Option("--grant/--refuse", help="What becomes of the appeal.")],
    text: Annotated[str | None, typer.Option(help="What its user is told.")] = None,
) -> None:
    """Answer an appeal. To grant it undoes what was decided."""
    found = ask.do("cases.answer", case=case, granted=granted, text=text)
    ask.tell(found, f"{case}: {'granted' if granted else 'refused'}; it is {found['state']}")


# --- restrictions -------------------------------------------------------------------------------------------------


@command(moderation, "restrictions")
def restrictions(
    ask: Asker,
    conversation: Where = None,
    user: Annotated[str | None, typer.Option(help="Of this user.")] = None,
    kind: Annotated[str | None, typer.Option(help="mute, ban or shadow.")] = None,
    limit: Limit = 100,
) -> None:
    """List who is muted, banned or shadowed."""
    fields = {"conversation": conversation, "user": user, "kind": kind}
    found = list(ask.each("restrictions.list", "restrictions", limit, **fields))
    if ask.json:
        lines(found)
        return
    rows = [
        (
            each["user"],
            each["kind"],
            each.get("conversation", "everywhere"),
            ago(each.get("until"), "for good"),
            each.get("by", "the server"),
            each.get("reason", ""),
        )
        for each in found
    ]
    table(("USER", "KIND", "WHERE", "UNTIL", "BY", "REASON"), rows, "nobody is restricted", cut=("REASON",))


@command(moderation, "restrict")
def restrict(
    ask: Asker,
    kind: Restriction,
    user: User,
    conversation: Where = None,
    until: For = None,
    reason: Annotated[str | None, typer.Option(help="What the user is told.")] = None,
) -> None:
    """Mute, ban or shadow a user, or change for how long."""
    made = ask.do(
        "restrictions.set",
        kind=kind,
        user=user,
        conversation=conversation,
        until=_until(until),
        reason=reason,
    )
    where = f"in {conversation}" if conversation else "everywhere"
    ask.tell(made, f"{user}: {kind} {where}, {moment(made.get('until'), 'until it is lifted')}")


@command(moderation, "lift")
def lift(ask: Asker, kind: Restriction, user: User, conversation: Where = None) -> None:
    """End a restriction."""
    done = ask.do("restrictions.lift", kind=kind, user=user, conversation=conversation)
    ask.tell(done, f"{user}: no {kind} {f'in {conversation}' if conversation else 'everywhere'} any more")


# --- rules --------------------------------------------------------------------------------------------------------


@command(rules, "show")
def show_rules(
    ask: Asker,
    draft: Annotated[bool, typer.Option("--draft", help="The draft.", show_default="what is live")] = False,
    version: Annotated[int | None, typer.Option(help="This version.", show_default="the live one")] = None,
) -> None:
    """Show the rules, in the order in which they are asked."""
    found = ask.do("moderation.rules.get", version=version, state="draft" if draft else None)
    if ask.json:
        lines([found])
        return
    print(
        f"version {found['version']}, {found['state']}" + (f": {found['note']}" if found.get("note") else "")
    )
    rows = [
        (
            place,
            rule["name"] if rule.get("enabled", True) else f"{rule['name']} (off)",
            rule["action"],
            " and ".join(map(_condition, rule["when"])),
        )
        for place, rule in enumerate(found["rules"], 1)
    ]
    table(
        ("#", "RULE", "ACTION", "WHEN"),
        rows,
        "no rules: all messages pass",
        numbers=("#",),
        cut=("WHEN", "RULE"),
    )


@command(rules, "versions")
def versions(ask: Asker, limit: Limit = 20) -> None:
    """List the versions of the rules, the newest first."""
    found = list(ask.each("moderation.rules.list", "versions", limit))
    if ask.json:
        lines(found)
        return
    rows = [
        (
            each["version"],
            each["state"],
            len(each["rules"]),
            ago(each.get("created")),
            each.get("by", "the server"),
            each.get("note", ""),
        )
        for each in found
    ]
    table(
        ("VERSION", "STATE", "RULES", "MADE", "BY", "NOTE"),
        rows,
        "no rules yet",
        numbers=(
            "VERSION",
            "RULES",
        ),
    )


@command(rules, "draft")
def draft(
    ask: Asker,
    file: Annotated[str, typer.Argument(help="JSON: an array of rules; - reads standard input.")],
    note: Annotated[str | None, typer.Option(help="What is new.")] = None,
) -> None:
    """Take the rules in FILE as the draft, which judges nobody before it is published."""
    made = ask.do("moderation.rules.draft", rules=_read(file), note=note)
    count = len(made["rules"])
    ask.tell(made, f"version {made['version']}: {count} {'rule' if count == 1 else 'rules'}, a draft")


@command(rules, "publish")
def publish(
    ask: Asker,
    version: Annotated[
        int | None, typer.Option(help="Only if the draft is this version.", show_default="whichever")
    ] = None,
) -> None:
    """Make the draft live."""
    made = ask.do("moderation.rules.publish", version=version)
    ask.tell(made, f"version {made['version']} is live")


@command(rules, "rollback")
def rollback(ask: Asker, version: Annotated[int, typer.Argument(help="Which version.")]) -> None:
    """Make an earlier version live again."""
    made = ask.do("moderation.rules.rollback", version=version)
    ask.tell(made, f"version {made['version']} is live, the same as {version}")


@command(rules, "try")
def try_text(
    ask: Asker,
    text: Annotated[str, typer.Argument(help="A text.")],
    draft: Annotated[
        bool, typer.Option("--draft", help="By the draft.", show_default="what is live")
    ] = False,
) -> None:
    """Say what would become of a text."""
    found = ask.do("moderation.try", text=text, rules="draft" if draft else None)
    if ask.json:
        lines([found])
        return
    facts(
        (
            ("action", found["action"]),
            ("rule", found.get("rule")),
            ("reason", found.get("reason")),
            ("flagged by", ", ".join(found.get("flags", ())) or None),
            ("sent as", found.get("text")),
        )
    )


def _read(file: str) -> Any:
    """The array of rules, or that in the `rules` of an object. Raises Problem."""
    try:
        found = json.loads(sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise Problem(f"cannot read {file}: {error.strerror or error}.") from error
    except ValueError as error:
        raise Problem(f"{file} is not JSON: {error}.", "see docs/how-to/moderate.md for rules.") from error
    found = found.get("rules") if isinstance(found, dict) else found
    if not isinstance(found, list):
        raise Problem(f"{file} has no array of rules.", "see docs/how-to/moderate.md for rules.")
    return found


def _until(given: str | None) -> float | None:
    if given is None:
        return None
    try:
        return time.time() + seconds(given)
    except ValueError as error:
        raise Problem(f"{error}.", "write 90m, 1d or 7d.") from error


def _why(case: dict[str, Any]) -> str:
    reported = case.get("reports", 0)
    reasons = ", ".join(case.get("reasons", ()))
    return f"{reasons} ({reported} reports)" if reported > 1 else reasons


def _claimed(case: dict[str, Any]) -> str | None:
    if "claimed_by" not in case:
        return None
    return f"{case['claimed_by']} until {moment(case.get('claimed_until'))}"


def _decided(found: dict[str, Any]) -> str:
    until = f" until {moment(found['until'])}" if "until" in found else ""
    text = f": {found['text']}" if found.get("text") else ""
    return f"{found['action']}{until} by {found.get('by', 'the server')} at {moment(found['time'])}{text}"


def _noted(found: dict[str, Any], *names: str) -> str:
    kind, text, who, when = (found.get(name) for name in names)
    by = f" by {who}" if who else ""
    return f"{moment(when)} {kind}{by}" + (f": {text}" if text else "")


def _condition(found: dict[str, Any]) -> str:
    rest = ", ".join(f"{name} {_listed(value)}" for name, value in found.items() if name != "type")
    return f"{found['type']} ({rest})" if rest else str(found["type"])


def _listed(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
