"""Operations of conversations as commands ask for them: by name, over the server API, one by one or page by page."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints
from urllib.parse import quote, urlencode

import typer

from hubbub.cli.credentials import base_url, load_config, require_api_key
from hubbub.cli.http import Api
from hubbub.cli.output import Problem

if TYPE_CHECKING:
    from hubbub.chat.operations import Operation

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
NULL = object()
"""A field that is to be null."""


class Asker:
    """What a command does its work by, for a `user` or as the server. `json`: its output is for programs."""

    def __init__(self, api: Api, user: str | None = None, as_json: bool = False) -> None:
        self._api = api
        self.user = user
        self.json = as_json

    def do(self, name: str, /, *, key: str | None = None, **fields: Any) -> dict[str, Any]:
        """What the operation answers; fields that are None are left out. Raises Problem with what the server said."""
        from hubbub.chat.directory import OPERATIONS

        given = {
            field: None if value is NULL else value for field, value in fields.items() if value is not None
        }
        return self._api.ask(*request_of(OPERATIONS[name], given), key=key)

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
    operation: Operation[Any, Any], given: dict[str, Any]
) -> tuple[str, str, dict[str, Any] | None]:
    """Method, path and body of a request with the fields `given`. Raises Problem for one that the path lacks."""
    names = operation.params.__struct_fields__
    given = dict(given)
    path = f"/v1{operation.path}"
    rest = [name for name in names if f"{{{name}}}" not in path]
    for name in names:
        if f"{{{name}}}" in path:
            if name not in given:
                raise Problem(f"{operation.name} needs {name}.", f"write {name}=VALUE.")
            path = path.replace(f"{{{name}}}", quote(str(given.pop(name)), safe=""))
    if operation.method not in ("GET", "DELETE"):
        return operation.method, path, given if rest else None
    query = {
        name: value if isinstance(value, (str, list)) else json.dumps(value)
        for name, value in given.items()
        if value is not None
    }
    return operation.method, f"{path}?{urlencode(query, doseq=True)}" if query else path, None
