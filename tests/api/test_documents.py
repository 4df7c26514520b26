from __future__ import annotations

import json
from typing import Any

import hypothesis
import msgspec
import pytest
import schemathesis
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from tests.api.server import Server

from hubbub.api.app import routers
from hubbub.api.documents import TAGS, WIRE_TYPES, openapi_document
from hubbub.errors import ErrorCode

DOCUMENT = json.loads(msgspec.json.encode(openapi_document(routers())))
OPERATIONS = [
    (path, method, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]


def test_it_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_route_is_described() -> None:
    routes = {route.path.replace(":str}", "}") for router in routers() for route in router.routes}
    assert set(DOCUMENT["paths"]) == routes


@pytest.mark.parametrize(
    ("path", "method", "operation"), OPERATIONS, ids=lambda each: each if isinstance(each, str) else ""
)
def test_every_operation_says_what_readers_need(path: str, method: str, operation: dict[str, Any]) -> None:
    assert operation["operationId"].isidentifier()
    assert operation["summary"]
    assert set(operation["tags"]) <= set(TAGS)
    assert operation["security"], "who may call it"
    responses = operation["responses"]
    assert any(status.startswith("2") for status in responses)
    for status, response in responses.items():
        assert response["description"] not in ("", "Request fulfilled, document follows")
        if not status.startswith("2"):
            (content,) = response["content"].values()
            assert content["schema"] == {"$ref": "#/components/schemas/ErrorBody"}
            assert content["example"]["code"] in list(ErrorCode)
    assert {"400", "422", "500", "default"} <= set(responses)
    assert ("401" in responses) is (operation["security"] != [{}])
    for parameter in operation.get("parameters", ()):
        if parameter["in"] != "path" or parameter["name"] == "name":
            assert parameter["description"]


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(ids) == len(set(ids))


def test_examples_are_what_the_server_takes() -> None:
    types = {each.__name__: each for each in WIRE_TYPES}
    count = 0
    for _, _, operation in OPERATIONS:
        if "requestBody" in operation:
            (content,) = operation["requestBody"]["content"].values()
            name = content["schema"]["$ref"].rpartition("/")[2]
            msgspec.json.decode(json.dumps(content["example"]), type=types[name])
            count += 1
    assert count >= 10


def test_bodies_that_may_be_left_out_are_not_required() -> None:
    optional = {
        operation["operationId"]
        for _, _, operation in OPERATIONS
        if operation.get("requestBody", {}).get("required") is False
    }
    assert optional == {"disconnectSession", "disconnectUser", "createTicket"}


def test_requests_refuse_unknown_fields_and_say_so() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        if name.endswith("Request"):
            assert schema["additionalProperties"] is False, name


def test_the_mount_is_the_server() -> None:
    assert openapi_document(routers(), "/chat")["servers"] == [{"url": "/chat"}]


# --- the server does what the document says ---------------------------------------------------------------

SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)


@pytest.mark.parametrize("operation_id", [operation["operationId"] for _, _, operation in OPERATIONS])
@pytest.mark.anyio
async def test_generated_requests_get_documented_answers(operation_id: str) -> None:
    """Valid and invalid requests, generated from the document: no 5xx, and each answer as it is described."""
    server = await Server(dev=True).start()
    operation = SCHEMA.find_operation_by_id(operation_id)
    cases: list[Any] = []

    @hypothesis.seed(7)
    @hypothesis.settings(
        max_examples=15,
        deadline=None,
        database=None,
        derandomize=False,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(case=operation.as_strategy())
    def collect(case: Any) -> None:
        cases.append(case)

    collect()
    assert cases
    for case in cases:
        sent = case.as_transport_kwargs(base_url="http://127.0.0.1:8000")
        response = await server.http.request(
            sent["method"],
            sent["url"],
            params=sent.get("params"),
            headers={**(sent.get("headers") or {}), "Authorization": f"Bearer {server.key}"},
            content=sent["data"] if sent.get("data") is not None else _body(sent),
        )
        case.validate_response(
            schemathesis.Response.from_any(response),
            checks=[not_a_server_error, status_code_conformance, response_schema_conformance],
        )
    await server.stop()


def _body(sent: dict[str, Any]) -> bytes | None:
    body = sent.get("json")
    return None if body is None else json.dumps(body).encode()
