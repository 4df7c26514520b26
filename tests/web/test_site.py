from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hubbub.config import Config
from hubbub.web.files import Body, File
from hubbub.web.site import PLACE, PageConfig, accepted, index_of, takes, web_app

PAGE = f"<!doctype html><title>Hubbub</title>{PLACE}<script src='./assets/app-1a2b.js'></script>"
SCRIPT = b"import('./more.js');\n" * 100


class Answer:
    """What an application answers to one request."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = dict(message["headers"])
            assert len(self.headers) == len(message["headers"]), "a header is there twice"
        else:
            self.body += message["body"]


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """What a build leaves, in small."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "web").mkdir()
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "web" / "icon.svg").write_text("<svg/>")
    (tmp_path / "assets" / "app-1a2b.js").write_bytes(SCRIPT)
    (tmp_path / "assets" / "app-1a2b.js.br").write_bytes(b"brotli")
    (tmp_path / "assets" / "app-1a2b.js.gz").write_bytes(b"gzip")
    return tmp_path


async def request(
    root: Path,
    path: str = "/",
    *,
    method: str = "GET",
    headers: Iterable[tuple[bytes, bytes]] = (),
    mounted: str = "",
    limits: Mapping[str, int] | None = None,
    **web: Any,
) -> Answer:
    async def receive() -> Any:
        raise AssertionError("the app has no use for a body")

    answer = Answer()
    app = web_app(Config(web=web, limits=limits or {}), "1.2.3", root)
    scope = {
        "type": "http",
        "method": method,
        "path": mounted + path,
        "root_path": mounted,
        "headers": headers,
    }
    await app(scope, receive, answer.send)
    return answer


async def test_the_page_is_told_its_configuration(built: Path) -> None:
    answer = await request(
        built, title='A "<b>" & co', token_url="/session/token", limits={"text_length": 500}
    )
    html = answer.body.decode()
    found = re.search(r'<meta name="hubbub" content="([^"]*)">', html)
    assert found is not None
    config = json.loads(unescape(found[1]))
    assert config == {
        "title": 'A "<b>" & co',
        "version": "1.2.3",
        "text_length": 500,
        "token_url": "/session/token",
        "chat": False,
    }
    assert "<title>A &quot;&lt;b&gt;&quot; &amp; co</title>" in html
    assert (answer.status, answer.headers[b"content-type"]) == (200, b"text/html; charset=utf-8")


@pytest.mark.parametrize("mounted", ["", "/realtime"])
async def test_old_links_lead_to_the_page_for_developers_where_there_is_one(
    built: Path, mounted: str
) -> None:
    async def receive() -> Any:
        raise AssertionError

    for there, expected in ((True, 307), (False, 404)):
        answer = Answer()
        app = web_app(Config(server={"playground": there}), "1", built)
        path = {"path": f"{mounted}/playground", "root_path": mounted}
        await app({"type": "http", "method": "GET", "headers": [], **path}, receive, answer.send)
        assert answer.status == expected
        assert answer.headers.get(b"location") == (b"./#/developer" if there else None)
        assert answer.headers[b"content-security-policy"].startswith(b"default-src 'none'")


async def test_the_page_says_that_it_is_for_development(built: Path) -> None:
    answer = Answer()

    async def receive() -> Any:
        raise AssertionError

    app = web_app(Config(dev=True), "1", built)
    await app({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, answer.send)
    assert '"dev":true' in unescape(answer.body.decode())


def test_a_page_without_a_place_for_its_configuration_is_refused() -> None:
    with pytest.raises(ValueError, match="once"):
        index_of("<title>Hubbub</title>", PageConfig("Hubbub", "1", 10_000))


async def test_the_page_is_asked_for_again_and_assets_last_for_ever(built: Path) -> None:
    assert (await request(built)).headers[b"cache-control"] == b"no-cache"
    assert (await request(built, "/web/icon.svg")).headers[b"cache-control"] == b"no-cache"
    kept = (await request(built, "/assets/app-1a2b.js")).headers[b"cache-control"]
    assert kept == b"public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("accept", "coding", "body"),
    [
        (b"gzip, deflate, br, zstd", b"br", b"brotli"),
        (b"gzip", b"gzip", b"gzip"),
        (b"br;q=0, gzip;q=0.5", b"gzip", b"gzip"),
        (b"*", b"br", b"brotli"),
        (b"", None, SCRIPT),
        (b"deflate", None, SCRIPT),
        (b"br;q=0.000, gzip; q=0", None, SCRIPT),
    ],
)
async def test_compressed_twins_are_sent_to_who_takes_them(
    built: Path, accept: bytes, coding: bytes | None, body: bytes
) -> None:
    answer = await request(built, "/assets/app-1a2b.js", headers=[(b"accept-encoding", accept)])
    assert (answer.headers.get(b"content-encoding"), answer.body) == (coding, body)
    assert answer.headers[b"vary"] == b"accept-encoding"
    assert answer.headers[b"content-length"] == b"%d" % len(body)
    assert answer.headers[b"content-type"] == b"text/javascript; charset=utf-8"


def test_a_refused_star_refuses_all_but_the_file_itself() -> None:
    file = File("text/plain", {"gzip": Body(b"1", "a"), "identity": Body(b"2", "b")})
    assert accepted("*;q=0", file) == "identity"
    assert accepted("*;q=0, gzip", file) == "gzip"
    assert accepted("*, gzip;q=0", file) == "identity"


async def test_an_unchanged_file_is_not_sent_again(built: Path) -> None:
    first = await request(built, "/assets/app-1a2b.js", headers=[(b"accept-encoding", b"br")])
    tag = first.headers[b"etag"]
    again = await request(
        built, "/assets/app-1a2b.js", headers=[(b"accept-encoding", b"br"), (b"if-none-match", b"W/" + tag)]
    )
    assert (again.status, again.body) == (304, b"")
    assert again.headers[b"etag"] == tag
    assert b"content-length" not in again.headers
    other = await request(built, "/assets/app-1a2b.js", headers=[(b"if-none-match", tag)])
    assert other.status == 200, "another encoding is another representation"


async def test_head_is_get_without_the_body(built: Path) -> None:
    got, headed = await request(built), await request(built, method="HEAD")
    assert (headed.status, headed.body, headed.headers) == (200, b"", got.headers)


async def test_other_methods_are_refused(built: Path) -> None:
    answer = await request(built, method="POST")
    assert (answer.status, answer.headers[b"allow"]) == (405, b"GET, HEAD")


@pytest.mark.parametrize(
    "path",
    ["/assets/", "/assets/app.js", "/assets/app-1a2b.js.br", "/assets/../index.html", "/manifest.json"],
)
async def test_nothing_else_is_there(built: Path, path: str) -> None:
    assert (await request(built, path)).status == 404


async def test_it_can_be_mounted(built: Path) -> None:
    assert (await request(built, "/assets/app-1a2b.js", mounted="/chat")).body == SCRIPT


async def test_what_is_not_built_says_what_to_do(tmp_path: Path) -> None:
    answer = await request(tmp_path / "nowhere")
    assert answer.status == 503
    assert b"npm run build" in answer.body
    assert b"scripts/serve" in answer.body
    assert (await request(tmp_path / "nowhere", "/assets/app.js")).status == 404


async def test_the_policy_lets_nothing_in(built: Path) -> None:
    for path in ("/", "/assets/app-1a2b.js", "/nothing"):
        answer = await request(built, path)
        policy = answer.headers[b"content-security-policy"].decode()
        assert "unsafe" not in policy
        assert "http" not in policy
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert policy.endswith("require-trusted-types-for 'script'; trusted-types 'none'")
        assert answer.headers[b"x-content-type-options"] == b"nosniff"


async def test_the_policy_names_what_the_settings_name(built: Path) -> None:
    answer = await request(
        built, token_url="https://www.example.com:8443/token?x=1", image_sources=["https://cdn.example.com"]
    )
    policy = answer.headers[b"content-security-policy"].decode()
    assert "img-src 'self' blob: https://cdn.example.com;" in policy
    assert "connect-src 'self' https://www.example.com:8443;" in policy


@pytest.mark.parametrize(
    "web",
    [
        {"token_url": "token"},
        {"token_url": "https://example.com;script-src"},
        {"token_url": "javascript:alert(1)"},
        {"image_sources": ["https://a.example; script-src *"]},
        {"image_sources": ["https://a.example/path"]},
        {"image_sources": ["*"]},
        {"title": ""},
    ],
)
def test_settings_that_would_mean_something_else_are_refused(web: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Config(web=web)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", True),
        ("/assets/app.js", True),
        ("/web/icon.svg", True),
        ("/web", False),
        ("/v1/ws", False),
        ("/playground", True),
        ("/playground/", False),
        ("/playgrounds", False),
    ],
)
def test_takes_its_own_paths(path: str, expected: bool) -> None:
    assert takes(path) is expected
