"""The OpenAPI 3.1 document: paths from Litestar's routes, schemas from msgspec, which knows our structs whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from litestar import Litestar, Router
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, Contact, License, SecurityScheme, Tag

from hubbub import __version__
from hubbub.api import schemas
from hubbub.api.chat_documents import PREAMBLE, describe
from hubbub.api.errors import ErrorBody, refusal_document
from hubbub.api.file_documents import PATHS, TAG
from hubbub.chat.operations import Operation as ChatOperation
from hubbub.errors import ERRORS, ErrorCode
from hubbub.hub.operations import ChannelInfo, SessionInfo
from hubbub.model import History, Presence

Document = dict[str, Any]

DESCRIPTION = """\
Everything that a server may do: publish, read logs and presence, manage sessions, revoke access.

Call it with an API key (`Authorization: Bearer ...`; make one with `hubbub token --api-key`). Names in paths are
percent-encoded. Each refusal is an `ErrorBody` with a code from the table of errors. Repeats are safe with an
idempotency key, as `key` or in the header `Idempotency-Key`.
"""
TAGS = {
    "Publish": "Send events to channels, users and sessions.",
    "Channels": "Which channels there are, their logs, and who is in them.",
    "Users": "The sessions of one user.",
    "Connections": "All sessions.",
    "Nodes": "The processes that serve together.",
    "Dead letters": "What the broker brought and nodes could not handle.",
    "Access": "Revoke tokens; get tickets.",
    "Development": "Only with `--dev`.",
}
WIRE_TYPES: tuple[Any, ...] = (
    *(
        each
        for each in vars(schemas).values()
        if isinstance(each, type) and issubclass(each, msgspec.Struct) and each is not msgspec.Struct
    ),
    ErrorBody,
    ChannelInfo,
    SessionInfo,
    History,
    Presence,
)
REFERENCE = "#/components/schemas/{name}"


def openapi_document(
    routers: Iterable[Router], root: str = "", operations: Sequence[ChatOperation[Any, Any]] = ()
) -> Document:
    """The document of `routers` and of the chat's `operations`; `root` is the path where the application is mounted."""
    application = Litestar(
        route_handlers=list(routers),
        dependencies={"api": Provide(_nothing, sync_to_thread=False)},
        openapi_config=OpenAPIConfig(
            title="Hubbub server API",
            version=__version__,
            description=DESCRIPTION + (PREAMBLE if operations else ""),
            license=License(name="MIT", identifier="MIT"),
            contact=Contact(name="The Hubbub team"),
            tags=[Tag(name=name, description=text) for name, text in TAGS.items()],
            use_handler_docstrings=True,
            components=Components(
                security_schemes={
                    "apiKey": SecurityScheme(
                        type="http", scheme="bearer", description="An API key of this server."
                    ),
                    "userToken": SecurityScheme(
                        type="http", scheme="bearer", bearer_format="JWT", description="A user's own token."
                    ),
                }
            ),
        ),
        logging_config=None,
    )
    document: Document = application.openapi_schema.to_schema()
    _, described = msgspec.json.schema_components(WIRE_TYPES, ref_template=REFERENCE)
    document["components"]["schemas"] = {name: described[name] for name in sorted(described)}
    document["servers"] = [{"url": root or "/"}]
    for item in document["paths"].values():
        for operation in item.values():
            _complete(operation, described)
    if operations:
        _add_chat(document, operations)
    return document


def _add_chat(document: Document, operations: Sequence[ChatOperation[Any, Any]]) -> None:
    schemas = document["components"]["schemas"]
    chat = describe(operations, schemas)
    for path, item in chat.paths.items():
        document["paths"].setdefault(path, {}).update(item)
    document["components"]["schemas"] = dict(sorted({**schemas, **chat.schemas}.items()))
    document["paths"].update(PATHS)
    document["tags"] += [TAG, *chat.tags]


def _nothing() -> None:
    """Stands where the context would: nothing is called while the document is made."""


def _complete(operation: Document, described: Document) -> None:
    """Say of an operation what Litestar cannot know: its refusals, in our shape, and an example of its body."""
    responses = operation["responses"]
    for status, response in responses.items():
        if status.startswith("2"):
            (content,) = response["content"].values()
            name = content["schema"]["$ref"].rpartition("/")[2]
            response["description"] = (
                described[name]["description"].partition("\n")[0].split(". ")[0].rstrip(".")
            )
    body = operation.get("requestBody")
    if body is not None:
        (content,) = body["content"].values()
        name = _of(content["schema"])
        optional = "$ref" not in content["schema"]
        content["schema"] = {"$ref": REFERENCE.format(name=name)}
        if optional:
            body["required"] = False
        content["example"] = _example(described[name], described)
    refusals = [ErrorCode.BAD_REQUEST, ErrorCode.VALIDATION_FAILED, ErrorCode.INTERNAL]
    if operation["security"] != [{}]:
        refusals.append(ErrorCode.UNAUTHENTICATED)
    if body is not None:
        refusals.append(ErrorCode.MESSAGE_TOO_LARGE)
    for code in refusals:
        responses[str(ERRORS[code].status)] = refusal_document(code)
    responses["default"] = refusal_document(ErrorCode.DRAINING, "Any other refusal")


def _of(schema: Document) -> str:
    """The name of the struct that a body's schema refers to, as it is or as one of two with null."""
    reference = schema.get("$ref") or next(each["$ref"] for each in schema["oneOf"] if "$ref" in each)
    return str(reference).rpartition("/")[2]


def _example(schema: Document, described: Document) -> Any:
    """The examples of the properties, put together; those that have none and may be left out are."""
    if reference := schema.get("$ref"):
        return _example(described[reference.rpartition("/")[2]], described)
    if "examples" in schema:
        return schema["examples"][0]
    if schema.get("type") == "array":
        return [_example(schema["items"], described)]
    properties = schema.get("properties", {})
    return {
        name: _example(each, described)
        for name, each in properties.items()
        if "examples" in each or name in schema["required"]
    }
