from __future__ import annotations

import json

import pytest
from tests.cli.stub import Answer, stub

from hubbub.cli.http import Api
from hubbub.cli.output import Problem
from hubbub.errors import ERRORS, ErrorCode


def test_a_request_and_its_answer() -> None:
    with stub(Answer(body=b'{"id": "1"}')) as (url, asked), Api(url, "hubbub_key") as api:
        assert api.post("/v1/publish", {"channel": "grüße"}) == {"id": "1"}
    (request,) = asked
    assert (request.method, request.path) == ("POST", "/v1/publish")
    assert request.headers["Authorization"] == "Bearer hubbub_key"
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body) == {"channel": "grüße"}


def test_a_path_before_ours_is_kept() -> None:
    with stub(Answer()) as (url, asked), Api(url.replace("http", "ws") + "/chat/") as api:
        api.request("GET", "/health/ready")
    assert (asked[0].path, asked[0].headers.get("Authorization")) == ("/chat/health/ready", None)


def test_a_connection_that_the_server_closed_is_opened_again() -> None:
    with stub(Answer(keep=False), Answer()) as (url, asked), Api(url) as api:
        api.post("/a", {})
        api.post("/b", {})
    assert [each.path for each in asked] == ["/a", "/b"]


def test_refusals_come_with_the_tables_advice() -> None:
    body = b'{"code": 104, "name": "permission_denied", "message": "not here"}'
    with stub(Answer(403, body)) as (url, _), Api(url) as api, pytest.raises(Problem) as problem:
        api.post("/x", {})
    assert problem.value.what == "the server refused: not here (permission_denied, 104)."
    assert problem.value.advice == ERRORS[ErrorCode.PERMISSION_DENIED].advice


@pytest.mark.parametrize("body", [b'{"code": 9999, "message": "new"}', b'{"message": "new"}'])
def test_codes_of_later_servers(body: bytes) -> None:
    with stub(Answer(400, body)) as (url, _), Api(url) as api, pytest.raises(Problem, match="refused: new"):
        api.post("/x", {})


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"", b"\xff"])
def test_what_is_not_hubbub(body: bytes) -> None:
    with (
        stub(Answer(200, body)) as (url, _),
        Api(url) as api,
        pytest.raises(Problem, match="not Hubbub's API"),
    ):
        api.post("/x", {})


@pytest.mark.parametrize("url", ["", "ftp://h", "http://", "//"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(Problem, match="is not the address"):
        Api(url)


def test_nobody_there() -> None:
    with stub(Answer()) as (url, _):
        pass
    with Api(url) as api, pytest.raises(Problem, match="connection refused"):
        api.post("/x", {})
