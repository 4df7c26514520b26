"""`hubbub config`: what is set and by whom, whether it holds together, and what everything means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hubbub.cli.credentials import load_config
from hubbub.cli.output import coloured

if TYPE_CHECKING:
    from pydantic import BaseModel

MASK = "********"

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Settings file.", show_default="hubbub.toml, if it exists")
]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.FIELD=VALUE", help="As for `hubbub serve`.")
]


def add_to(cli: typer.Typer) -> None:
    group = typer.Typer(help="Show, check and explain the settings.", no_args_is_help=True)
    group.command("show")(show)
    group.command("check")(check)
    group.command("doc")(doc)
    cli.add_typer(group, name="config")


def show(
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object, without sources.")] = False,
    secrets: Annotated[bool, typer.Option("--secrets", help="Do not mask secrets.")] = False,
    changed: Annotated[bool, typer.Option("--changed", help="Only what is not the default.")] = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Show every setting with its value and where it came from."""
    import sys

    from hubbub.cli.settings import Sources, leaves, parse_assignments
    from hubbub.telemetry.redaction import escape

    flags = parse_assignments(assignments or ())
    loaded = load_config(config, **flags)
    sources = Sources(config, flags)
    if as_json:
        tree: dict[str, Any] = {}
        for path, value in leaves(loaded):
            place = tree
            for name in path[:-1]:
                place = place.setdefault(name, {})
            place[path[-1]] = _plain(value, secrets)
        print(json.dumps(tree, indent=2))
        return
    bold, dim, off = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if coloured(sys.stdout) else ("", "", "")
    section: tuple[str, ...] = ()
    for path, value in leaves(loaded):
        source = sources.of(path)
        if changed and source == "default":
            continue
        if path[:-1] != section:
            section = path[:-1]
            print(f"\n{bold}[{'.'.join(section)}]{off}")
        plain = _plain(value, secrets)
        text = "unset" if plain is None else json.dumps(plain, ensure_ascii=False)
        shade = dim if source == "default" else ""
        print(f"{shade}{path[-1]:<22} {escape(text):<28} {dim}{escape(source)}{off}".rstrip())


def check(config: ConfigFile = None, assignments: Assignments = None) -> None:
    """Check the settings as `hubbub serve` would, without starting it."""
    from hubbub import config as settings
    from hubbub.auth.keys import load_keys
    from hubbub.cli.settings import parse_assignments

    loaded = load_config(config, **parse_assignments(assignments or ()))
    settings.validate(loaded)
    keys = len(load_keys(loaded.auth))
    where = config or Path("hubbub.toml")
    read = f"{where} and the environment" if where.exists() else "the environment (there is no hubbub.toml)"
    print(f"ok: {read}; {keys} verification {'key' if keys == 1 else 'keys'}")


def doc(
    form: Annotated[
        Literal["markdown", "toml", "env"], typer.Option("--format", help="markdown, toml or env.")
    ] = "markdown",
) -> None:
    """Explain every setting: as reference tables, as a commented hubbub.toml, or as variables."""
    writer = {"markdown": _markdown, "toml": _toml, "env": _env}[form]
    print("\n".join(writer()))


# --- the tree, described ----------------------------------------------------------------------------------


def _plain(value: Any, secrets: bool = False) -> Any:
    from pydantic import SecretStr

    if isinstance(value, SecretStr):
        return value.get_secret_value() if secrets else MASK
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(each, secrets) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each, secrets) for key, each in value.items()}
    return value


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """Every section by its name, the fields of the root under the empty one."""
    from hubbub.config import Config, NamespaceConfig

    for name, field in Config.model_fields.items():
        if name == "namespaces":
            continue
        kind = field.annotation
        if isinstance(kind, type) and hasattr(kind, "model_fields"):
            yield name, kind
            if kind is NamespaceConfig:
                yield "namespaces.<name>", kind


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, str, Any, str]]:
    """Name, type in words, default and description of a section's fields."""
    for name, field in model.model_fields.items():
        yield (
            name,
            _type(field),
            _plain(field.get_default(call_default_factory=True)),
            field.description or "",
        )


def _type(field: Any) -> str:
    """`integer`, `seconds`, `one of a, b`, `list of texts`."""
    from typing import get_args, get_origin

    kind = field.annotation
    options = [each for each in get_args(kind) if each is not type(None)]
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(f"`{each}`" for each in options)
    if get_origin(kind) is tuple:
        return "list of texts"
    if get_origin(kind) is dict:
        return "table of paths" if Path in options else "table of texts"
    if options:
        kind = options[0]
    names = {bool: "true or false", int: "integer", float: "number", str: "text", Path: "path"}
    return names.get(kind, "secret text")


def _summary(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _markdown() -> Iterator[str]:
    for section, model in _sections():
        yield f"## `{section}`\n\n{_summary(model)}\n"
        yield "| Setting | Type | Default | Meaning |\n| --- | --- | --- | --- |"
        for name, kind, default, text in _fields(model):
            shown = "" if default is None else f"`{json.dumps(default)}`"
            meaning = text.replace("|", "\\|")
            yield f"| `{name}` | {kind} | {shown} | {meaning} |"
        yield ""


def _toml() -> Iterator[str]:
    yield "# hubbub.toml: every setting with its default. Remove the # of what you change.\n"
    for section, model in _sections():
        yield f"# {_summary(model)}"
        yield f"{'# ' if '<' in section else ''}[{section}]"
        for name, _, default, text in _fields(model):
            yield f"# {text}"
            yield f"# {name} = {'...' if default is None else _toml_value(default)}"
        yield ""


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml_value(each)}" for key, each in value.items()) + "}"
    return json.dumps(value)


def _env() -> Iterator[str]:
    yield "# Every setting as a variable with its default. Lists and tables are JSON."
    for section, model in _sections():
        yield f"\n# {_summary(model)}"
        prefix = "__".join(("HUBBUB_" + section.upper()).split("."))
        for name, _, default, text in _fields(model):
            shown = "" if default is None else default if isinstance(default, str) else json.dumps(default)
            yield f"# {text}"
            yield f"# {prefix}__{name.upper()}={shown}"
