"""What handlers of `connect` are told of the request, and whose client it is."""

from __future__ import annotations

import pytest

from hubbub.auth.base import ConnectionInfo
from hubbub.socketio.environ import environ, speaks_javascript


def info(*headers: tuple[str, str], agent: str = "", query: str = "") -> ConnectionInfo:
    return ConnectionInfo(address="192.0.2.1", user_agent=agent, headers=headers, query=query)


def test_the_request_is_as_wsgi_has_it() -> None:
    request = info(
        ("host", "example.org"),
        ("x-request-id", "7"),
        ("content-type", "text/plain"),
        ("content-length", "3"),
        ("cookie", "a=1"),
        query="EIO=4&room=a%20b",
    )
    assert environ(request) == {
        "REQUEST_METHOD": "GET",
        "QUERY_STRING": "EIO=4&room=a%20b",
        "REMOTE_ADDR": "192.0.2.1",
        "HTTP_HOST": "example.org",
        "HTTP_X_REQUEST_ID": "7",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "3",
        "HTTP_COOKIE": "a=1",
        "hubbub.info": request,
    }


def test_a_header_that_came_twice_is_one_value() -> None:
    assert environ(info(("x-a", "1"), ("x-b", "2"), ("x-a", "3")))["HTTP_X_A"] == "1,3"


def test_a_header_with_an_underscore_does_not_pass_for_another() -> None:
    # A proxy that sets or drops `x-user` lets `x_user` through; in WSGI's spelling they would be the same.
    request = environ(info(("x_user", "admin"), ("x-user", "bob"), ("x_other", "1")))
    assert request["HTTP_X_USER"] == "bob"
    assert "HTTP_X_OTHER" not in request


def test_no_header_takes_the_place_of_what_the_server_says() -> None:
    forged = (("remote-addr", "10.0.0.1"), ("request-method", "PUT"), ("hubbub.info", "x"))
    request = environ(info(*forged))
    assert (request["REMOTE_ADDR"], request["REQUEST_METHOD"]) == ("192.0.2.1", "GET")
    assert isinstance(request["hubbub.info"], ConnectionInfo)


DEFLATE = ("sec-websocket-extensions", "permessage-deflate; client_max_window_bits")


@pytest.mark.parametrize(
    ("request_", "javascript"),
    [
        (info(agent="Mozilla/5.0 (X11; Linux x86_64)"), True),
        (info(agent="node-XMLHttpRequest"), True),
        (info(agent="Deno/2.1"), True),
        (info(agent="Bun/1.1"), True),
        (info(agent="python-requests/2.32"), False),
        (info(agent="okhttp/4.12"), False),
        (info(agent="a Mozilla/5.0"), False),
        # Node's WebSocket says nothing of itself
        (info(), False),
        (info(DEFLATE), True),
        (info(("sec-websocket-extensions", "permessage-deflate")), False),
        (info(("x-other", "client_max_window_bits")), False),
        (info(DEFLATE, agent="Python/3.11 aiohttp/3.11"), False),
        # who knows better says so
        (info(agent="python-requests/2.32", query="EIO=4&recovery=on"), True),
        (info(agent="Mozilla/5.0", query="recovery=off&EIO=4"), False),
        (info(DEFLATE, query="recovery=off"), False),
        (info(query="recovery=off&recovery=on"), True),
        (info(agent="Mozilla/5.0", query="recovery=maybe"), True),
        (info(agent="Mozilla/5.0", query="recovery="), True),
        (info(query="recovery=maybe"), False),
        (info(query="no_recovery=on"), False),
        (info(agent="Mozilla/5.0", query="x=recovery%3Doff"), True),
    ],
)
def test_whose_client_it_is(request_: ConnectionInfo, javascript: bool) -> None:
    assert speaks_javascript(request_) is javascript
