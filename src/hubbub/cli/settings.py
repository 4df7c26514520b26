"""`--set section.field=value`, and where each setting's value came from."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hubbub.cli.output import Problem
from hubbub.config import Config, NamespaceConfig

PREFIX, DELIMITER = "HUBBUB_", "__"


def parse_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """`["server.port=0", "namespaces.chat.retention=10"]` as the nested flags of `config.load`. Raises Problem."""
    flags: dict[str, Any] = {}
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals or ("." not in path.strip(".") and path.strip() != "dev"):
            raise Problem(
                f"--set {assignment}: not section.field=value.", "for example --set server.port=9000"
            )
        *sections, field = path.strip().split(".")
        place = flags
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise Problem(f"--set {assignment}: {section} already has a value.", "set each field once.")
        place[field] = _value((*sections, field), value)
    return flags


def _value(path: tuple[str, ...], text: str) -> Any:
    """Lists and tables as JSON, lists also separated by commas; all else is text that the field's type reads."""
    if text[:1] in "[{" and text:
        try:
            return json.loads(text)
        except ValueError as error:
            raise Problem(f"--set {'.'.join(path)}: not JSON: {error}.", "quote it for the shell.") from error
    if _is_list(path):
        return [item.strip() for item in text.split(",") if item.strip()]
    return text


def _is_list(path: tuple[str, ...]) -> bool:
    model: type[BaseModel] = NamespaceConfig if path[0] in ("namespaces", "default") else Config
    for name in path[:-1] if model is Config else ():
        field = model.model_fields.get(name)
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return False
        model = inner
    field = model.model_fields.get(path[-1])
    return field is not None and "tuple" in str(field.annotation)


def leaves(model: BaseModel, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every single setting of a tree with its path, `namespaces` by their names."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from leaves(value, (*path, name))
        elif name == "namespaces":
            for namespace, options in value.items():
                yield from leaves(options, (*path, name, namespace))
        else:
            yield (*path, name), value


class Sources:
    """Who said what: flags, the environment, the file, or nobody."""

    def __init__(self, file: Path | None, flags: Mapping[str, Any]) -> None:
        path = file or Path("hubbub.toml")
        self._flags = flags
        self._file = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        self._file_name = str(path)
        self._environment = {
            tuple(name.upper().removeprefix(PREFIX).lower().split(DELIMITER)): name
            for name in os.environ
            if name.upper().startswith(PREFIX)
        }

    def of(self, path: tuple[str, ...]) -> str:
        """`flag`, the variable's name, the file's name, or `default`."""
        if _inside(self._flags, path):
            return "flag"
        lower = tuple(part.lower() for part in path)
        if lower in self._environment:
            return self._environment[lower]
        for length in range(len(lower) - 1, 0, -1):  # a whole section may be given as JSON
            variable = self._environment.get(lower[:length])
            if variable is not None and _inside(_table(os.environ[variable]), path[length:]):
                return variable
        return self._file_name if _inside(self._file, path) else "default"


def _table(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _inside(tree: Any, path: tuple[str, ...]) -> bool:
    for name in path:
        if not isinstance(tree, Mapping) or name not in tree:
            return False
        tree = tree[name]
    return True
