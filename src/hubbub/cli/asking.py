"""Operations of conversations as commands ask for them: by name, over the server API, one by one or page by page."""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, get_type_hints
from urllib.parse import quote, urlencode

import typer

from hubbub.cli.credentials import base_url, load_config, require_api_key
from hubbub.cli.http import Api
from hubbub.cli.output import Problem
from hubbub.cli.routes import ROUTES

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
AsUser = Annotated[
    str | None, typer.Option("--as", metavar="USER", help="Act for this user.", show_default="the server")
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: JSON, of lists an object a line.")]
Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]
OPTIONS: dict[str, Any] = {
    "as_json": AsJson,
    "as_user": AsUser,
    "url": Url,
    "api_key": ApiKey,
    "config": ConfigFile,
}
PAGE = 100
PLACEHOLDER = re.compile(r"\{(\w+)\}")
NULL = object()
"""A field that is to be null."""


class Asker:
    """What a command does its work by, for a `user` or as the server. `json`: its output is for programs."""

    def __init__(self, api: Api, user: str | None = None, as_json: bool = False) -> None:
        self._api = api
        self.user = user
        self.json = as_json

    def do(self, name: str, /, **fields: Any) -> dict[str, Any]:
        """What the operation answers; fields that are None are left out. Raises Problem with what the server said."""
        given = {
            field: None if value is NULL else value for field, value in fields.items() if value is not None
        }
        method, _, path = ROUTES[name].partition(" ")
        return self._api.ask(*request_of(name, method, path, given))

    def each(self, name: str, field: str, limit: int, /, **fields: Any) -> Iterator[dict[str, Any]]:
        """Entries of the list `field` of page after page, at most `limit`."""
        cursor = None
        while limit > 0:
            page = self.do(name, limit=min(limit, PAGE), cursor=cursor, **fields)
            yield from page[field]
            limit -= len(page[field])
            if (cursor := page.get("next")) is None:
                return

    def tell(self, answer: dict[str, Any], words: str) -> None:
        """Print what was done: for programs the answer, for people `words`."""
        print(json.dumps(answer, ensure_ascii=False) if self.json else words)


def command(group: typer.Typer, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`@command(users, "list")` over `def function(ask: Asker, ...)`: a command of `group` that takes beside its own
    arguments where the server is, for whom to act, and whether to print JSON."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(function, include_extras=True)
        own = list(inspect.signature(function).parameters.values())[1:]

        @functools.wraps(function)
        def run(**given: Any) -> None:
            as_json, user, url, key, config = [given.pop(option) for option in OPTIONS]
            with Api(url or base_url(load_config(config)), require_api_key(key), acting_for=user) as api:
                function(Asker(api, user, as_json), **given)

        added = [
            inspect.Parameter(
                option, inspect.Parameter.KEYWORD_ONLY, default=(option == "as_json" and False) or None
            )
            for option in OPTIONS
        ]
        kept = [
            each.replace(annotation=hints[each.name], kind=inspect.Parameter.KEYWORD_ONLY) for each in own
        ]
        signature = inspect.Signature(
            [*kept, *(each.replace(annotation=OPTIONS[each.name]) for each in added)]
        )
        run.__signature__ = signature  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in signature.parameters.values()}
        del run.__dict__["__wrapped__"]
        group.command(name)(run)
        return function

    return register


def request_of(
    name: str, method: str, path: str, given: dict[str, Any]
) -> tuple[str, str, dict[str, Any] | None]:
    """Method, path and body of a request for the operation `name` with the fields `given`; `path` is below `/v1`, with
    placeholders. Raises Problem for a field that the path lacks."""
    given = dict(given)
    for field in PLACEHOLDER.findall(path):
        if field not in given:
            raise Problem(f"{name} needs {field}.", f"write {field}=VALUE.")
        path = path.replace(f"{{{field}}}", quote(str(given.pop(field)), safe=""))
    if method not in ("GET", "DELETE"):
        return method, f"/v1{path}", given or None
    query = {
        field: value if isinstance(value, (str, list)) else json.dumps(value)
        for field, value in given.items()
        if value is not None
    }
    return method, f"/v1{path}{f'?{urlencode(query, doseq=True)}' if query else ''}", None
