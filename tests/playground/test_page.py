from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest

from hubbub.config import Config
from hubbub.playground.page import CONTENT_TYPES, playground_app, read_files, takes


class Answer:
    """What an application answers to one request."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"]
            self.headers = dict(headers)
            assert len(self.headers) == len(headers), "a header is there twice"
        else:
            self.body += message["body"]


async def request(
    path: str,
    *,
    method: str = "GET",
    headers: Iterable[tuple[bytes, bytes]] = (),
    root: str = "",
    enabled: bool = True,
) -> Answer:
    async def receive() -> Any:
        raise AssertionError("the page has no use for a body")

    answer = Answer()
    app = playground_app(Config(server={"playground": enabled}))
    scope = {"type": "http", "method": method, "path": root + path, "root_path": root, "headers": [*headers]}
    await app(scope, receive, answer.send)
    return answer


FILES = read_files()


@pytest.mark.anyio
@pytest.mark.parametrize("path", sorted(FILES))
async def test_every_file_is_served_with_its_type_validator_and_policy(path: str) -> None:
    answer = await request(path)
    assert answer.status == 200
    assert answer.body == FILES[path].body
    assert answer.headers[b"content-length"] == b"%d" % len(answer.body)
    suffix = ".html" if path == "/" else path[path.rindex(".") :]
    assert answer.headers[b"content-type"] == CONTENT_TYPES[suffix].encode()
    assert answer.headers[b"cache-control"] == b"no-cache"
    assert re.fullmatch(rb'"[0-9a-f]{20}"', answer.headers[b"etag"])
    assert answer.headers[b"x-content-type-options"] == b"nosniff"
    policy = answer.headers[b"content-security-policy"].decode()
    assert policy.startswith("default-src 'self'; connect-src 'self' ws: wss:;")
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.anyio
async def test_validators_differ_between_files() -> None:
    assert len({file.etag for file in FILES.values()}) == len(FILES)


@pytest.mark.anyio
@pytest.mark.parametrize("wrap", ["{}", "W/{}", '"other", {}', '{} , W/"x"', "*"])
async def test_an_unchanged_file_is_not_sent_again(wrap: str) -> None:
    etag = FILES["/"].etag
    answer = await request("/", headers=[(b"if-none-match", wrap.format(etag).encode())])
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers[b"etag"] == etag.encode()
    assert answer.headers[b"cache-control"] == b"no-cache"
    assert b"content-length" not in answer.headers
    assert b"content-type" not in answer.headers


@pytest.mark.anyio
@pytest.mark.parametrize("tags", ['"other"', "", "W/", FILES["/"].etag.strip('"')])
async def test_a_changed_file_is_sent(tags: str) -> None:
    answer = await request("/", headers=[(b"if-none-match", tags.encode())])
    assert answer.status == 200


@pytest.mark.anyio
async def test_head_is_get_without_the_body() -> None:
    got, headed = await request("/"), await request("/", method="HEAD")
    assert (headed.status, headed.body) == (200, b"")
    assert headed.headers == got.headers


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_are_refused(method: str) -> None:
    answer = await request("/", method=method)
    assert answer.status == 405
    assert answer.headers[b"allow"] == b"GET, HEAD"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "path",
    [
        "/playground/",
        "/playground/nothing.js",
        "/playground/../app.py",
        "/playground/page.py",
        "/style.css",
        "",
    ],
)
async def test_nothing_else_is_there(path: str) -> None:
    assert (await request(path)).status == 404


@pytest.mark.anyio
@pytest.mark.parametrize("path", sorted(FILES))
async def test_it_is_not_there_when_it_is_off(path: str) -> None:
    assert (await request(path, enabled=False)).status == 404


@pytest.mark.anyio
@pytest.mark.parametrize("root", ["/realtime", "/a/b"])
async def test_it_can_be_mounted(root: str) -> None:
    assert (await request("/", root=root)).body == FILES["/"].body
    assert (await request("/playground/pane.js", root=root)).status == 200


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", True),
        ("/playground/style.css", True),
        ("/playground", True),
        ("/playgrounds/", False),
        ("/v1/ws", False),
    ],
)
def test_takes_its_own_paths(path: str, expected: bool) -> None:
    assert takes(path) is expected


def test_the_page_names_only_files_that_exist_and_no_other_place() -> None:
    for path, file in FILES.items():
        text = file.body.decode()
        for name in re.findall(r'(?:src|href)="(playground/[^"]+)"', text):
            assert f"/{name}" in FILES, (path, name)
        for name in re.findall(r'from "\./([^"]+)"', text):
            assert f"/playground/{name}" in FILES, (path, name)
        places = set(re.findall(r"https?://[^\s\"'`)]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not places, (path, places)


def test_the_page_has_nothing_inline_and_makes_no_markup_from_strings() -> None:
    page = FILES["/"].body.decode()
    assert not re.search(r"<script(?![^>]*\ssrc=)", page)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    for path, file in FILES.items():
        if path.endswith(".js"):
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", file.body.decode()
            )
