"""`hubbub chat` and `hubbub rights`: operations of conversations, by the server API."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints
from urllib.parse import quote, urlencode

import typer

from hubbub.cli.asking import ApiKey, AsUser, ConfigFile, Url, request_of
from hubbub.cli.credentials import base_url, load_config, require_api_key
from hubbub.cli.http import Api
from hubbub.cli.output import Problem

if TYPE_CHECKING:
    from hubbub.chat.operations import Operation

PAGE = 200
"""Entries of a page of an export; the server may give fewer."""

rights = typer.Typer(help="What is kept of one person: all of it, or nothing any more.", no_args_is_help=True)


def add_to(cli: typer.Typer) -> None:
    cli.command("chat")(chat)
    cli.add_typer(rights, name="rights")


def chat(
    operation: Annotated[str, typer.Argument(help="As `conversations.create`; `list` shows all.")],
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="Fields: text or JSON.")
    ] = None,
    as_user: AsUser = None,
    key: Annotated[
        str | None, typer.Option(help="Idempotency key: the same again is done once, and answered alike.")
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    config: ConfigFile = None,
) -> None:
    """Do something with users, conversations, messages, members, moderation, retention: any operation there is.

    Prints what the server answers, as JSON. `hubbub chat messages.send --as ada conversation=abc
    'parts=[{"type": "text", "text": "hello"}]'`.
    """
    from hubbub.chat.directory import OPERATIONS

    if operation == "list":
        for each in OPERATIONS.values():
            print(f"{each.name:<32} {each.summary}")
        return
    found = OPERATIONS.get(operation)
    if found is None:
        raise Problem(f"there is no operation {operation}.", "`hubbub chat list` shows all.")
    method, path, body = request_of(found.name, found.method, found.path, _given(found, fields or []))
    if key is not None:
        _check_key(found, key)
    with Api(url or base_url(load_config(config)), require_api_key(api_key), acting_for=as_user) as api:
        print(json.dumps(api.ask(method, path, body, key=key), ensure_ascii=False))


@rights.command("export")
def export(
    user: Annotated[str, typer.Argument(help="Whose.")],
    target: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.", dir_okay=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace FILE.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    config: ConfigFile = None,
) -> None:
    """Write all that is kept of one person into FILE, a JSON object a line."""
    if target.exists() and not force:
        raise Problem(f"{target} is there already.", "name another file, or replace it with --force.")
    path, count, cursor = f"/v1/users/{quote(user, safe='')}/export", 0, None
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        descriptor = os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with (
            os.fdopen(descriptor, "w", encoding="utf-8") as file,
            Api(url or base_url(load_config(config)), require_api_key(api_key)) as api,
        ):
            while True:
                query = {"limit": PAGE} | ({} if cursor is None else {"cursor": cursor})
                page = api.ask("GET", f"{path}?{urlencode(query)}")
                for entry in page["entries"]:
                    file.write(json.dumps(entry, ensure_ascii=False) + "\n")
                count += len(page["entries"])
                if (cursor := page.get("next")) is None:
                    break
        os.replace(partial, target)
    except OSError as error:
        raise Problem(f"cannot write {target}: {error.strerror or error}.") from error
    finally:
        partial.unlink(missing_ok=True)
    print(f"{target}: {count:,} {'entry' if count == 1 else 'entries'}")


@rights.command("erase")
def erase(
    user: Annotated[str, typer.Argument(help="Whom.")],
    delete_messages: Annotated[
        bool, typer.Option("--delete-messages", help="Delete what the person wrote, too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    config: ConfigFile = None,
) -> None:
    """Take a person out. What it wrote is kept as that of nobody, or deleted; this cannot be undone."""
    if not yes:
        if not sys.stdin.isatty():
            raise Problem("this cannot be undone.", "say --yes.")
        typer.confirm(f"Take {user} out for good?", abort=True, err=True)
    body = {"messages": "delete" if delete_messages else "keep"}
    with Api(url or base_url(load_config(config)), require_api_key(api_key)) as api:
        answer = api.post(f"/v1/users/{quote(user, safe='')}/erasure", body)
    print(f"{answer['user']} will be {answer['alias']}")


def _given(operation: Operation[Any, Any], fields: list[str]) -> dict[str, Any]:
    """What `NAME=VALUE`s say."""
    hints = get_type_hints(operation.params, include_extras=True)
    given: dict[str, Any] = {}
    for field in fields:
        name, sign, value = field.partition("=")
        if not sign or name not in hints:
            known = ", ".join(hints) or "none"
            raise Problem(f"{operation.name} has no field {name}.", f"its fields: {known}; write NAME=VALUE.")
        given[name] = _value(hints[name], value)
    return given


def _check_key(operation: Operation[Any, Any], key: str) -> None:
    if not operation.keyed:
        raise Problem(f"{operation.name} takes no idempotency key.", "leave --key out.")
    if not key or not key.isascii() or not key.isprintable():
        raise Problem("--key is not a text of ASCII characters.", "take a UUID, or a number of your own.")


def _value(hint: Any, value: str) -> Any:
    """Text where a field takes text, else JSON."""
    import msgspec

    if value != "null":
        try:
            if isinstance(msgspec.convert(value, hint), str):
                return value
        except (msgspec.ValidationError, TypeError):
            pass  # it takes something else
    try:
        return json.loads(value)
    except ValueError:
        return value
