from __future__ import annotations

import gzip
import re
from importlib.resources import files

import pytest
from tests.api.server import Server

from hubbub.api.pages import MEDIA_TYPES, PAGE
from hubbub.errors import ErrorCode
from hubbub.hub.handlers import Handler

STATIC = files("hubbub.api") / "static"


@pytest.mark.anyio
async def test_the_index_leads_to_everything(server: Server) -> None:
    index = (await server.http.get("/")).json()
    assert index["name"] == "hubbub"
    for name in ("reference", "openapi", "asyncapi"):
        assert (await server.http.get(index["links"][name])).status_code == 200


@pytest.mark.anyio
async def test_documents_need_no_key_and_tell_none(server: Server) -> None:
    for path in ("/openapi.json", "/asyncapi.json"):
        response = await server.http.get(path)
        assert response.headers["content-type"] == "application/json"
        assert response.headers["cache-control"] == "no-cache"
        assert response.json()["info"]["version"]
        assert server.key not in response.text


@pytest.mark.anyio
async def test_the_protocols_document_has_the_applications_handlers(server: Server) -> None:
    async def count(session: object, params: int) -> int:
        return params

    server.world.handlers.methods["count"] = Handler("count", count, int, int, "Count.")
    document = (await server.http.get("/asyncapi.json", headers={"Host": "chat.example:81"})).json()
    assert document["operations"]["call.count"]["summary"] == "Count."
    assert document["servers"]["this"] == {"host": "chat.example:81", "protocol": "ws"}


@pytest.mark.anyio
async def test_documents_know_where_they_are_mounted() -> None:
    server = await Server(mount="/rt").start()
    openapi = (await server.http.get("/rt/openapi.json")).json()
    assert openapi["servers"] == [{"url": "/rt"}]
    asyncapi = (await server.http.get("/rt/asyncapi.json")).json()
    assert asyncapi["servers"]["this"]["pathname"] == "/rt"
    await server.stop()


@pytest.mark.anyio
async def test_the_page_allows_nothing_from_elsewhere(server: Server) -> None:
    response = await server.http.get("/docs")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(
        part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'self'"
    assert "script-src" not in policy
    assert "connect-src" not in policy
    assert policy["frame-ancestors"] == "'none'"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"


def test_the_page_has_no_inline_script_and_no_foreign_address() -> None:
    assert not re.search(r"<script(?![^>]*\ssrc=)", PAGE)
    assert not re.search(r"\son\w+=", PAGE)
    addresses = re.findall(r'(?:src|href|spec-url)="([^"]*)"', PAGE)
    assert addresses
    for address in addresses:
        assert not re.match(r"[a-z]+:|/", address), "relative, so that the page works wherever it is mounted"
    assert 'load-fonts="false"' in PAGE


@pytest.mark.parametrize("name", MEDIA_TYPES)
@pytest.mark.anyio
async def test_files_come_compressed_or_not(server: Server, name: str) -> None:
    plain = (STATIC / name).read_bytes()
    response = await server.http.get(f"/docs/{name}", headers={"Accept-Encoding": "identity"})
    assert (response.content, "content-encoding" in response.headers) == (plain, False)
    assert response.headers["content-type"] == f"{MEDIA_TYPES[name]}; charset=utf-8"
    response = await server.http.get(f"/docs/{name}", headers={"Accept-Encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.content == plain, "as the client has inflated it"
    assert int(response.headers["content-length"]) == len(gzip.compress(plain, 6, mtime=0))


def test_every_file_has_a_type_and_the_viewer_its_licence() -> None:
    names = {entry.name for entry in STATIC.iterdir()}
    assert names == {*MEDIA_TYPES, "rapidoc.LICENSE.txt"}
    assert "MIT License" in (STATIC / "rapidoc.LICENSE.txt").read_text(encoding="utf-8")


@pytest.mark.anyio
async def test_the_page_can_be_turned_off() -> None:
    server = await Server(server={"docs": False}).start()
    for path in ("/docs", "/docs/docs.js"):
        await server.refused(ErrorCode.NOT_FOUND, "GET", path)
    await server.ok("GET", "/openapi.json")
    await server.stop()
