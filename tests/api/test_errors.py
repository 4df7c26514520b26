from __future__ import annotations

from typing import Any

import pytest
from litestar.exceptions import (
    ClientException,
    InternalServerException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)
from tests.api import server as api
from tests.api.server import Server

from hubbub.api.errors import body_of, headers_of, refusal
from hubbub.errors import ERRORS, ErrorCode, HubbubError


class BrokenBroker:
    """Fails at everything, in words that nobody outside must read."""

    def __getattr__(self, name: str) -> Any:
        async def fail(*_: object, **__: object) -> None:
            raise RuntimeError("the password of the database is hunter2")

        return fail


@pytest.mark.parametrize("code", ERRORS)
def test_every_error_is_said_in_the_words_of_the_table(code: ErrorCode) -> None:
    body = body_of(HubbubError(code, field="f", retry_after=1.5))
    info = ERRORS[code]
    assert (body.code, body.name, body.message, body.temporary) == (
        code,
        info.name,
        info.text,
        info.temporary,
    )
    assert (body.field, body.retry_after) == ("f", 1.5)


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (HubbubError(ErrorCode.NOT_FOUND), {}),
        (HubbubError(ErrorCode.UNAUTHENTICATED), {"WWW-Authenticate": 'Bearer realm="hubbub"'}),
        (HubbubError(ErrorCode.RATE_LIMITED, retry_after=0.2), {"Retry-After": "1"}),
        (HubbubError(ErrorCode.RATE_LIMITED, retry_after=2.2), {"Retry-After": "3"}),
    ],
)
def test_headers_say_when_and_how_to_try_again(error: HubbubError, headers: dict[str, str]) -> None:
    assert headers_of(error) == headers


@pytest.mark.parametrize(
    ("error", "code", "field"),
    [
        (NotFoundException(), ErrorCode.NOT_FOUND, None),
        (MethodNotAllowedException(headers={"allow": "GET"}), ErrorCode.METHOD_NOT_ALLOWED, None),
        (ClientException("no"), ErrorCode.BAD_REQUEST, None),
        (ClientException(status_code=413), ErrorCode.MESSAGE_TOO_LARGE, "body"),
        (ValidationException("no"), ErrorCode.VALIDATION_FAILED, None),
        (ValidationException("no", extra=[{"message": "m", "key": "k"}]), ErrorCode.VALIDATION_FAILED, "k"),
        (
            ValidationException("no", extra=[{"message": "m", "key": "data"}]),
            ErrorCode.VALIDATION_FAILED,
            "body",
        ),
        (InternalServerException("secret"), ErrorCode.INTERNAL, None),
        (KeyError("secret"), ErrorCode.INTERNAL, None),
    ],
)
def test_what_litestar_raises_is_in_our_table(error: Exception, code: ErrorCode, field: str | None) -> None:
    known = refusal(error, 10)
    assert (known.code, known.field) == (code, field)
    assert "secret" not in known.message


@pytest.mark.parametrize(
    "path",
    ["/nope", "/v1", "/v1/", "/v1/nope", "/v1/publish/nope", "/v1/users", "/v1/users/a", "/v2/publish", "/%00", "/dev",
     "/static/../app.py", "/docs/../app.py", "/docs/app.py", "/docs/%2e%2e%2fapp.py"],
)  # fmt: skip
@pytest.mark.anyio
async def test_what_is_not_there_is_not_found(server: Server, path: str) -> None:
    await server.refused(ErrorCode.NOT_FOUND, "GET", path)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/publish", "POST"),
        ("DELETE", "/v1/channels", "GET"),
        ("POST", "/v1/channels/a", "GET"),
        ("PUT", "/v1/revoke", "POST"),
        ("POST", "/openapi.json", "GET"),
        ("BREW", "/v1/publish", "POST"),
    ],
)
@pytest.mark.anyio
async def test_another_method_is_not_allowed(server: Server, method: str, path: str, allowed: str) -> None:
    response = await server.call(method, path)
    api.refusal(response, ErrorCode.METHOD_NOT_ALLOWED)
    assert allowed in response.headers["allow"].split(", ")


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.anyio
async def test_a_body_that_is_too_large_is_refused(chunked: bool) -> None:
    server = await Server(limits={"body_bytes": 1000}).start()

    async def chunks() -> Any:
        for _ in range(50):
            yield b"x" * 100

    content: Any = chunks() if chunked else b"x" * 1001
    headers = {"Authorization": f"Bearer {server.key}"}
    response = await server.http.post("/v1/publish", content=content, headers=headers)
    api.refusal(response, ErrorCode.MESSAGE_TOO_LARGE, "body")
    await server.stop()


@pytest.mark.anyio
async def test_what_nobody_foresaw_is_logged_and_not_told(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.world.hub.broker = BrokenBroker()
    response = await server.call("POST", "/v1/publish", {"channel": "a", "data": 1})
    body = api.refusal(response, ErrorCode.INTERNAL)
    assert response.headers["x-request-id"] in body["message"]
    assert "hunter2" not in response.text
    assert "Traceback" not in response.text
    (record,) = [each for each in caplog.records if each.name == "hubbub.api"]
    assert record.levelname == "ERROR"
    assert record.exc_info is not None
    line = record.getMessage()
    assert f"request_id={response.headers['x-request-id']} method=POST path=/v1/publish" in line
    assert server.key not in caplog.text
    server.world.hub.broker = server.world.broker


@pytest.mark.anyio
async def test_refusals_are_counted_by_code(server: Server) -> None:
    await server.refused(ErrorCode.NOT_FOUND, "GET", "/nope")
    await server.refused(ErrorCode.INVALID_CHANNEL, "GET", "/v1/channels/*", field="channel")
    errors = server.world.metrics.errors
    assert (errors[ErrorCode.NOT_FOUND], errors[ErrorCode.INVALID_CHANNEL]) == (1, 1)
