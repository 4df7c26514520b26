"""Request bodies: decoded strictly, into one of our structs, before anything is done with them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import lru_cache
from typing import Any

import msgspec
from litestar._openapi.schema_generation import SchemaCreator
from litestar.dto import AbstractDTO
from litestar.dto.data_structures import DTOFieldDefinition
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from hubbub import jsondata
from hubbub.api.context import context_of
from hubbub.config import LimitsConfig
from hubbub.errors import ErrorCode, HubbubError

_ENVELOPE_DEPTH = 4
_ENVELOPE_KEYS = 8


@lru_cache(maxsize=64)
def _decoder(target: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(target)


def decode(raw: bytes, target: Any, limits: LimitsConfig) -> Any:
    """`raw` as a `target`.

    Raises VALIDATION_FAILED with the field that does not fit, INVALID_DATA for what is not strict JSON (here and in
    each `data`), LIMIT_EXCEEDED for `data` beyond `limits`.
    """
    try:
        value = _decoder(target).decode(raw)
    except msgspec.ValidationError as error:
        _well_formed(raw, limits)
        message, path = jsondata.wrong_field(error)
        raise HubbubError(
            ErrorCode.VALIDATION_FAILED, f"{path or 'body'}: {message}", field=path or "body"
        ) from None
    except (ValueError, RecursionError, MemoryError, msgspec.MsgspecError):
        _well_formed(raw, limits)
        raise HubbubError(ErrorCode.INVALID_DATA, "body: not JSON", field="body") from None
    for field, data in _payloads(value):
        jsondata.check(data, depth=limits.json_depth, keys=limits.json_keys, field=field)
    _well_formed(raw, limits)
    return value


def _well_formed(raw: bytes, limits: LimitsConfig) -> None:
    """Nothing in the whole body is ambiguous: no duplicate keys, no numbers beyond a double, only UTF-8."""
    keys = (limits.json_keys + _ENVELOPE_KEYS) * max(1, limits.batch) + _ENVELOPE_KEYS
    jsondata.check(raw, depth=limits.json_depth + _ENVELOPE_DEPTH, keys=keys, field="body")


def _payloads(value: Any) -> Iterator[tuple[str, bytes]]:
    """Every `data` in a decoded body, with the name of its field."""
    if (data := getattr(value, "data", None)) is not None:
        yield "data", bytes(data)
    for place, item in enumerate(getattr(value, "items", ())):
        yield f"items[{place}].data", bytes(item.data)


class StrictBody(AbstractDTO[Any]):
    """Makes Litestar decode a route's `data` by `decode`, and describe it by its own type."""

    def decode_bytes(self, value: bytes) -> Any:
        field = self.asgi_connection.route_handler.parsed_data_field
        return decode(value, field.annotation, context_of(self.asgi_connection).hub.config.limits)

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: Any = None
    ) -> None:
        """There is no transfer model: the struct is the wire type."""

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: SchemaCreator
    ) -> Reference | Schema:
        return schema_creator.for_field_definition(field_definition)

    @classmethod
    def is_supported_model_type_field(cls, field_definition: FieldDefinition) -> bool:
        return True

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        return False
