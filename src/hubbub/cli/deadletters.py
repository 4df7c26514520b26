"""`hubbub deadletters`: what the broker brought and nodes could not handle, by the server API."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hubbub.cli.credentials import base_url, load_config, require_api_key
from hubbub.cli.http import Api
from hubbub.cli.output import Problem

Url = Annotated[
    str | None,
    typer.Option(envvar="HUBBUB_URL", help="The server.", show_default="as configured here"),
]
ApiKey = Annotated[
    str | None,
    typer.Option(envvar="HUBBUB_API_KEY", help="Key of the server API.", show_default="of --dev here"),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Settings file.", show_default="hubbub.toml, if it exists")
]
Id = Annotated[str, typer.Argument(help="Id of the dead letter.")]
OneOrAll = Annotated[str | None, typer.Argument(help="Id of the dead letter.", show_default="none")]
All = Annotated[bool, typer.Option("--all", help="All there are.")]

PAGE = 100

deadletters = typer.Typer(
    help="Look at what the broker brought and nodes could not handle, replay it, or throw it away.",
    no_args_is_help=True,
)


def add_to(cli: typer.Typer) -> None:
    cli.add_typer(deadletters, name="deadletters")


def _api(url: str | None, api_key: str | None, config: Path | None) -> Api:
    return Api(url or base_url(load_config(config)), require_api_key(api_key))


@deadletters.command("list")
def list_letters(
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = PAGE,
    url: Url = None,
    api_key: ApiKey = None,
    config: ConfigFile = None,
) -> None:
    """List dead letters of all nodes, newest first. One JSON object a line when piped."""
    with _api(url, api_key, config) as api:
        found = _letters(api, limit)
    for each in found:
        if not sys.stdout.isatty():
            print(json.dumps(each))
            continue
        when = datetime.fromtimestamp(each["time"]).isoformat(" ", "seconds")
        print(f"{each['id']}  {when}  {each['reason']}  {each['channel']}  {each['detail']}")
    if not found and sys.stdout.isatty():
        print("no dead letters")


@deadletters.command()
def show(id: Id, url: Url = None, api_key: ApiKey = None, config: ConfigFile = None) -> None:
    """Show one dead letter, with what is in it."""
    with _api(url, api_key, config) as api:
        print(json.dumps(api.ask("GET", f"/v1/dead-letters/{_checked(id)}"), indent=2))


@deadletters.command()
def replay(
    id: OneOrAll = None,
    every: All = False,
    url: Url = None,
    api_key: ApiKey = None,
    config: ConfigFile = None,
) -> None:
    """Publish again what is in a dead letter, or in all of them, oldest first. What is in a log reaches only who has
    not had it."""
    _one_or_all(id, every)
    failures = 0
    with _api(url, api_key, config) as api:
        ids = [id] if id is not None else [each["id"] for each in reversed(_letters(api, None))]
        for each in ids:
            try:
                api.ask("POST", f"/v1/dead-letters/{_checked(each)}/replay")
            except Problem as problem:
                if id is not None:
                    raise
                failures += 1
                print(f"{each}: {problem}", file=sys.stderr)
            else:
                print(f"replayed {each}")
    if failures:
        raise Problem(f"{failures} of {len(ids)} could not be replayed.", "look at them with `show`.")


@deadletters.command()
def drop(
    id: OneOrAll = None,
    every: All = False,
    url: Url = None,
    api_key: ApiKey = None,
    config: ConfigFile = None,
) -> None:
    """Throw a dead letter away, or all of them."""
    _one_or_all(id, every)
    path = "/v1/dead-letters" if id is None else f"/v1/dead-letters/{_checked(id)}"
    with _api(url, api_key, config) as api:
        print(f"dropped {api.ask('DELETE', path)['letters']}")


def _letters(api: Api, limit: int | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    before = ""
    while True:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        page = api.ask("GET", f"/v1/dead-letters?limit={size}{before}")
        found += page["letters"]
        if "next" not in page or len(found) == limit:
            return found
        before = f"&before={page['next']}"


def _one_or_all(id: str | None, every: bool) -> None:
    if (id is None) is not every:
        raise Problem("say which.", "give the id of a dead letter, or --all.")


def _checked(id: str) -> str:
    """It becomes part of a path."""
    if not id.replace("-", "").isalnum() or not id.isascii():
        raise Problem(f"{id} is no id of a dead letter.", "`hubbub deadletters list` shows them.")
    return id
