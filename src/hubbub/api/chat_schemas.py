"""JSON Schemas of the chat's types for both documents, and examples made from them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Container, Hashable, Iterable, Mapping
from typing import Any, get_type_hints

import msgspec

from hubbub.chat.operations import Operation

Document = dict[str, Any]
REFERENCE = "#/components/schemas/"
ALIKE = {"conversation": "6ac852a32e9b14548965dbeb", "user": "bob", "message": 42, "thread": 42, "seq": 45}
"""Examples of what has none of its own, by its name."""


class Schemas:
    """The schemas of `types`, by whatever they are called, all with one set of components. A name that is `taken` by a
    component of the rest of the document gets `Chat` before it, and two that are alike the names of their modules."""

    def __init__(self, types: Mapping[Hashable, Any], taken: Container[str] = ()) -> None:
        schemas, components = msgspec.json.schema_components(
            types.values(), ref_template=REFERENCE + "{name}"
        )
        # As JSON has it: without tuples.
        plain = msgspec.to_builtins([list(schemas), components])
        names = {name: _short(name, taken) for name in components}
        pointers = {REFERENCE + old: REFERENCE + new for old, new in names.items()}
        renamed, found = _renamed(plain, pointers)
        self._schemas: dict[Hashable, Document] = dict(zip(types, renamed, strict=True))
        self.components: Document = {}
        for old, schema in found.items():
            title = {"title": names[old]} if "title" in schema else {}
            self.components[names[old]] = schema | title

    def __getitem__(self, name: Hashable) -> Document:
        return self._schemas[name]

    def example(self, schema: Document) -> Any:
        return example(schema, self.components)


def _short(name: str, taken: Container[str]) -> str:
    """msgspec calls those that are alike by their modules: `hubbub.chat.search.Mark`."""
    *_, module, last = ("", *name.split("."))
    short = f"{module.capitalize()}{last}"
    return f"Chat{short}" if short in taken else short


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: names[inner] if key == "$ref" else _renamed(inner, names) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    return value


def body_types(
    operations: Iterable[Operation[Any, Any]], in_path: Callable[[Operation[Any, Any]], frozenset[str]]
) -> dict[str, type[msgspec.Struct]]:
    """The struct of each operation's body, by the operation's name: its params without what is in the path. Those that
    have the same are given the same; those that have nothing left are left out."""
    made: dict[tuple[Any, frozenset[str]], type[msgspec.Struct]] = {}
    bodies: dict[str, type[msgspec.Struct]] = {}
    for operation in operations:
        params, named = operation.params, in_path(operation)
        if len(named) == len(params.__struct_fields__):
            continue
        if (params, named) not in made:
            unique = all(known is not params for known, _ in made)
            name = params.__name__ + ("" if unique else f"{len(made)}")
            made[params, named] = _without(params, named, name) if named else params
        bodies[operation.name] = made[params, named]
    return bodies


def _without(struct: type[msgspec.Struct], names: Container[str], name: str) -> type[msgspec.Struct]:
    hints = get_type_hints(struct, include_extras=True)
    fields = [
        (each.name, hints[each.name], _copied(each))
        for each in msgspec.structs.fields(struct)
        if each.name not in names
    ]
    return msgspec.defstruct(
        name,
        fields,
        forbid_unknown_fields=True,
        kw_only=True,
        namespace={"__doc__": inspect.getdoc(struct)},
    )


def _copied(field: msgspec.structs.FieldInfo) -> Any:
    if field.required:
        return msgspec.field(name=field.encode_name)
    if field.default is not msgspec.NODEFAULT:
        return msgspec.field(default=field.default, name=field.encode_name)
    assert callable(field.default_factory)
    return msgspec.field(default_factory=field.default_factory, name=field.encode_name)


def example(schema: Document, components: Document, *, whole: bool = False) -> Any:
    """A value that fits `schema`: the examples that it gives, and something simple elsewhere. What may be left out is,
    unless there is an example of it or the `whole` is wanted."""
    if reference := schema.get("$ref"):
        return example(components[reference.removeprefix(REFERENCE)], components, whole=whole)
    if examples := schema.get("examples"):
        return examples[0]
    if "const" in schema:
        return schema["const"]
    if values := schema.get("enum"):
        return values[0]
    if options := schema.get("anyOf"):
        return example(options[0], components, whole=whole)
    match schema.get("type"):
        case "object" if "properties" in schema:
            required = schema.get("required", ())
            return {
                name: ALIKE[name]
                if name in ALIKE and not _has_example(each)
                else example(each, components, whole=whole)
                for name, each in schema["properties"].items()
                if whole or name in required or _has_example(each)
            }
        case "object":
            return {}
        case "array":
            items = schema.get("items", {})
            return [example(items, components, whole=whole)] if schema.get("minItems") else []
        case "string":
            return "x" * max(1, schema.get("minLength", 1))
        case "integer":
            return max(1, schema.get("minimum", 1))
        case "number":
            return 1.5
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return {}


def _has_example(schema: Document) -> bool:
    if "examples" in schema:
        return True
    return any("examples" in each for each in schema.get("anyOf", ()))
