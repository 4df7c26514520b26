"""Markdown of what JSON Schemas say: tables, types in words, sections of structs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(" ".join(cell.split()) for cell in line) + " |" for line in lines) + "\n"
    )


def cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("<", "&lt;")


def default_of(schema: dict[str, Any]) -> str:
    value = schema.get("default")
    return "absent" if value is None else f"`{json.dumps(value)}`"


def kind_of(schema: dict[str, Any] | bool) -> str:
    if isinstance(schema, bool):  # whatever there may be
        return "any JSON"
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if options := schema.get("anyOf"):
        return " or ".join(kind_of(each) for each in options if each.get("type") != "null")
    if values := schema.get("enum"):
        return " or ".join(f"`{json.dumps(each)}`" for each in values)
    match schema.get("type"):
        case "array":
            if "prefixItems" in schema:  # a tuple
                return f"list of {', '.join(map(kind_of, schema['prefixItems']))}"
            return f"list of {kind_of(schema['items'])}"
        case "object":
            value = schema.get("additionalProperties")
            return f"object of {kind_of(value)}" if value else "object"
        case None:
            return "any JSON"
        case "boolean":
            return "true or false"
        case kind:
            return str(kind)


def section_of(schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        (
            f"`{name}`",
            kind_of(each),
            "required" if name in required else default_of(each),
            cell(each.get("description", "")),
        )
        for name, each in schema["properties"].items()
        if name != "type"
    ]
    doc = " ".join(schema.get("description", "").split())
    fields = table(("Field", "Type", "Default", "Meaning"), rows) if rows else "It has no fields.\n"
    return f"### {schema['title']}\n\n{doc}\n\n{fields}"
