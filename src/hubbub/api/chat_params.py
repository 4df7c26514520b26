"""The params of the chat's operations from a request: path, query and body put together as the JSON that a `call` of
the same operation would carry, so that both are read by one decoder and refused in the same words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec
from msgspec import Raw, inspect

from hubbub import jsondata
from hubbub.api.paths import decoded
from hubbub.chat.operations import Operation
from hubbub.config import LimitsConfig
from hubbub.errors import ErrorCode, HubbubError

PLACEHOLDER = re.compile(r"\{(\w+)\}")
BODY_METHODS = ("POST", "PUT", "PATCH")
Kind = Literal["integer", "number", "boolean", "text"]
_LITERAL: dict[Kind, re.Pattern[str]] = {
    "integer": re.compile(r"-?(0|[1-9][0-9]{0,18})"),
    "number": re.compile(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?"),
    "boolean": re.compile(r"true|false"),
}
"""What stands for a value that is no string; anything else is given to the decoder as a string, which refuses it."""
_fields = msgspec.json.Decoder(dict[str, Raw]).decode


@dataclass(frozen=True, slots=True)
class Parameter:
    """A field of the params that stands in the path or the query. `many`: it may be repeated."""

    name: str
    kind: Kind
    many: bool = False

    def json(self, text: str) -> Raw:
        literal = _LITERAL.get(self.kind)
        if literal is not None and literal.fullmatch(text):
            return Raw(text.encode())
        return Raw(msgspec.json.encode(text))


class Reader:
    """What reads the requests of one operation."""

    def __init__(self, operation: Operation[Any, Any]) -> None:
        named = set(PLACEHOLDER.findall(operation.path))
        info = inspect.type_info(operation.params)
        assert isinstance(info, inspect.StructType)
        fields = {field.name: Parameter(field.encode_name, *_kind(field.type)) for field in info.fields}
        assert named <= set(fields), f"{operation.name}: the path names what the params have not"
        self.in_path: dict[str, Parameter] = {name: fields[name] for name in fields if name in named}
        rest = [field for name, field in fields.items() if name not in named]
        self.in_query: dict[str, Parameter] = {}
        self.has_body = operation.method in BODY_METHODS
        if not self.has_body:
            self.in_query = {field.name: field for field in rest}

    def read(self, path: Mapping[str, str], query: bytes, body: bytes, limits: LimitsConfig) -> bytes:
        """The params as JSON, which are still to be validated.

        Raises BAD_REQUEST for names that are not UTF-8 and for a body or query where there is none, INVALID_DATA for a
        body that is not strict JSON, VALIDATION_FAILED for fields that are given twice or in the wrong place.
        """
        if self.has_body and query:
            raise HubbubError(ErrorCode.BAD_REQUEST, "query: the parameters go into the body", field="query")
        if not self.has_body and body:
            raise HubbubError(ErrorCode.BAD_REQUEST, "body: the parameters go into the query", field="body")
        if self.has_body and not self.in_path:
            return body or b"{}"
        given = self._body(body, limits) if self.has_body else self._query(query)
        for name, field in self.in_path.items():
            if field.name in given:
                raise HubbubError(
                    ErrorCode.VALIDATION_FAILED,
                    f"Object contains unknown field `{field.name}`: it is in the path",
                    field=field.name,
                )
            given[field.name] = field.json(decoded(path[name], field.name))
        return msgspec.json.encode(given)

    def _body(self, body: bytes, limits: LimitsConfig) -> dict[str, Any]:
        if not body or body == b"null":
            return {}
        # Two fields of one name would be one after this, and nobody would know which was meant.
        jsondata.check(body, depth=limits.json_depth, keys=limits.json_keys, field="params")
        try:
            return _fields(body)
        except msgspec.ValidationError as error:
            raise HubbubError(ErrorCode.VALIDATION_FAILED, str(error), field="params") from None

    def _query(self, query: bytes) -> dict[str, Any]:
        try:
            pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
        except ValueError:
            raise HubbubError(
                ErrorCode.BAD_REQUEST, "query: not percent-encoded UTF-8", field="query"
            ) from None
        given: dict[str, Any] = {}
        for name, text in pairs:
            field = self.in_query.get(name) or Parameter(name, "text")
            if field.many:
                given.setdefault(name, []).append(field.json(text))
            elif name in given:
                raise HubbubError(ErrorCode.VALIDATION_FAILED, f"{name[:64]}: given twice", field=name[:64])
            else:
                given[name] = field.json(text)
        return given


def _kind(type_: inspect.Type) -> tuple[Kind, bool]:
    """What a field's value is in a path or query, and whether there may be many."""
    match type_:
        case inspect.Metadata(type=inner):
            return _kind(inner)
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return _kind(item)[0], True
        case inspect.UnionType(types=types):
            kinds = [_kind(each) for each in types if not isinstance(each, inspect.NoneType)]
            return next((each for each in kinds if each[0] == "text"), kinds[0])
        case inspect.IntType():
            return "integer", False
        case inspect.FloatType():
            return "number", False
        case inspect.BoolType():
            return "boolean", False
        case inspect.LiteralType(values=values) if all(isinstance(each, int) for each in values):
            return "integer", False
        case _:
            return "text", False
