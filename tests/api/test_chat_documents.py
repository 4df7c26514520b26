"""What the OpenAPI document says of the chat, and whether the server does it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import msgspec
import pytest
import schemathesis
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from tests.api.chat_server import ChatServer
from tests.chat.attempts import Ids, furnish

from hubbub.api.app import routers
from hubbub.api.chat import operation_id
from hubbub.api.chat_documents import TAGS
from hubbub.api.chat_params import BODY_METHODS, PLACEHOLDER
from hubbub.api.documents import openapi_document
from hubbub.chat.directory import OPERATIONS
from hubbub.chat.operations import Operation
from hubbub.errors import ErrorCode

ALL = tuple(OPERATIONS.values())
DOCUMENT: Any = json.loads(msgspec.json.encode(openapi_document(routers(), "", ALL)))
SCHEMAS = DOCUMENT["components"]["schemas"]


def described(operation: Operation[Any, Any]) -> Any:
    return DOCUMENT["paths"][f"/v1{operation.path}"][operation.method.lower()]


EACH = pytest.mark.parametrize("operation", ALL, ids=OPERATIONS)


def test_it_is_openapi_3_1() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    ids = [each["operationId"] for item in DOCUMENT["paths"].values() for each in item.values()]
    assert len(ids) == len(set(ids))


def test_the_rest_of_the_document_is_as_without() -> None:
    plain: Any = json.loads(msgspec.json.encode(openapi_document(routers())))
    for path, item in plain["paths"].items():
        assert all(DOCUMENT["paths"][path][method] == operation for method, operation in item.items())
    for name, schema in plain["components"]["schemas"].items():
        assert SCHEMAS[name] == schema
    assert not any(tag["name"].startswith("Chat") for tag in plain["tags"])


def test_names_of_schemas_are_short() -> None:
    assert [name for name in SCHEMAS if not name.isalnum()] == []
    assert all(SCHEMAS[name].get("title", name) == name for name in SCHEMAS)


def test_tags_are_described() -> None:
    assert {operation.tag.lower() for operation in ALL} <= set(TAGS)
    described = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}
    for operation in ALL:
        assert described[f"Chat: {operation.tag.lower()}"]


@EACH
def test_every_operation_says_what_readers_need(operation: Operation[Any, Any]) -> None:
    found = described(operation)
    assert found["operationId"] == operation_id(operation)
    assert found["operationId"].isidentifier()
    assert found["summary"] == operation.summary
    assert f"`chat.{operation.name}`" in found["description"]
    assert ({"userToken": []} in found["security"]) is not operation.server
    assert {"apiKey": []} in found["security"]
    responses = found["responses"]
    assert [status for status in responses if status.startswith("2")] == [str(operation.status)]
    assert {"400", "401", "403", "404", "422", "429", "500", "503", "default"} <= set(responses)
    for status, response in responses.items():
        assert response["description"]
        if not status.startswith("2"):
            (content,) = response["content"].values()
            assert content["schema"] == {"$ref": "#/components/schemas/ErrorBody"}
            assert content["example"]["code"] in list(ErrorCode)


@EACH
def test_every_parameter_has_its_place(operation: Operation[Any, Any]) -> None:
    found = described(operation)
    places = {(each["in"], each["name"]) for each in found.get("parameters", ())}
    in_path = set(PLACEHOLDER.findall(operation.path))
    rest = set(operation.params.__struct_encode_fields__) - in_path
    body = set()
    if "requestBody" in found:
        reference = found["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        schema = SCHEMAS[reference.rpartition("/")[2]]
        assert schema["additionalProperties"] is False
        body = set(schema["properties"])
    assert {name for place, name in places if place == "path"} == in_path
    assert body == (rest if operation.method in BODY_METHODS else set())
    assert {name for place, name in places if place == "query"} == rest - body
    assert (("header", "Idempotency-Key") in places) is (operation.keyed)
    assert (("header", "Hubbub-User") in places) is not operation.server
    for each in found.get("parameters", ()):
        if each["in"] == "path":
            assert each["required"]
            assert each["description"] or each["name"] == "name"
        assert {"type": "null"} not in each["schema"].get("anyOf", ())


@EACH
def test_results_are_described(operation: Operation[Any, Any]) -> None:
    (content,) = described(operation)["responses"][str(operation.status)]["content"].values()
    assert set(content["schema"]) == {"$ref"}
    for name in reachable(content["schema"]):
        schema = SCHEMAS[name]
        assert schema["properties"] or name == "Nothing", name
        for title, field in schema["properties"].items():
            assert field != {"type": "object"}, f"{name}.{title} is a dict of anything"


def reachable(value: Any, seen: set[str] | None = None) -> set[str]:
    """The names of all schemas that `value` leads to."""
    seen = set() if seen is None else seen
    if isinstance(value, dict):
        if (reference := value.get("$ref")) and (name := reference.rpartition("/")[2]) not in seen:
            seen.add(name)
            reachable(SCHEMAS[name], seen)
        for inner in value.values():
            reachable(inner, seen)
    elif isinstance(value, list):
        for inner in value:
            reachable(inner, seen)
    return seen


def sample(type: Any) -> Any:
    """Something that a path may have there."""
    schema = msgspec.json.schema(type)
    return 1 if "int" in str(type) else schema.get("enum", ["x"])[0]


@EACH
def test_the_example_of_a_body_is_one(operation: Operation[Any, Any]) -> None:
    body = described(operation).get("requestBody")
    if body is None:
        return
    example = body["content"]["application/json"]["example"]
    fields = {each.name: each for each in msgspec.structs.fields(operation.params)}
    path = {name: sample(fields[name].type) for name in PLACEHOLDER.findall(operation.path)}
    msgspec.json.decode(msgspec.json.encode({**path, **example}), type=operation.params)


# --- the server does what the document says ---------------------------------------------------------------

SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
CASES = 12


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ChatServer]:
    running = await ChatServer(tmp_path, limits={"command_rate": 0.0}).start()
    yield running
    await running.world.check()
    await running.stop()


def cases(operation: Operation[Any, Any]) -> list[Any]:
    """Requests made from the document."""
    found: list[Any] = []

    @hypothesis.seed(7)
    @hypothesis.settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        derandomize=False,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(case=SCHEMA.find_operation_by_id(operation_id(operation)).as_strategy())
    def collect(case: Any) -> None:
        found.append(case)

    collect()
    return found


def real(case: Any, ids: Iterator[Ids]) -> None:
    """Have it be about what is there, every second time."""
    about = next(ids)
    for name, value in (("conversation", about.conversation), ("message", about.message)):
        if name in case.path_parameters:
            case.path_parameters[name] = value
    if "thread" in case.path_parameters:
        case.path_parameters["thread"] = about.thread
    if "user" in case.path_parameters:
        case.path_parameters["user"] = about.user


@pytest.mark.anyio
@EACH
async def test_generated_requests_get_documented_answers(
    server: ChatServer, operation: Operation[Any, Any]
) -> None:
    place = await furnish(server.world)
    about = [place.group, place.topic, replace(place.group, user="ada")]
    callers = [server.credentials("ada"), server.credentials(""), server.credentials("stranger")]
    callers.append(server.credentials("") | {"Hubbub-User": "bob"})
    for number, case in enumerate(cases(operation)):
        if number % 4:
            real(case, iter([about[number % len(about)]]))
        sent = case.as_transport_kwargs(base_url="http://127.0.0.1:8000")
        headers = {
            name: value for name, value in (sent.get("headers") or {}).items() if name != "Hubbub-User"
        }
        body = sent.get("json")
        response = await server.http.request(
            sent["method"],
            sent["url"],
            params=sent.get("params"),
            headers={**headers, **callers[number % len(callers)]},
            content=None if body is None else json.dumps(body).encode(),
        )
        case.validate_response(
            schemathesis.Response.from_any(response),
            checks=[not_a_server_error, status_code_conformance, response_schema_conformance],
        )
