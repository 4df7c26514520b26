"""Files going out over HTTP: to whom, how much of them, and so that nothing in them runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.api.chat_server import ChatServer
from tests.api.file_server import FileClient
from tests.chat.sharing import shared

from hubbub.chat.ledger import Actor

pytestmark = pytest.mark.anyio
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
ATTACKS = {
    "page.html": b"<html><script>alert(1)</script></html>",
    "x.png": b"<html><body onload=alert(1)>",
    "x.svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "x.xml": b'<?xml version="1.0"?><x:script xmlns:x="http://www.w3.org/1999/xhtml">alert(1)</x:script>',
    "x.js": b"alert(1)",
    "x.pdf": b"%PDF-1.4 /OpenAction /JS (app.alert(1))",
    "x.swf": b"FWS\x09" + bytes(30),
    "x.jar": b"PK\x03\x04" + bytes(30),
    "x.txt": b"+ADw-script+AD4-alert(1)",
    "x": bytes(100),
}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ChatServer]:
    running = await ChatServer(tmp_path, limits={"command_rate": 0.0}).start()
    await running.world.users("ada", "bob", "eve")
    yield running
    await running.world.check()
    await running.stop()


@pytest.fixture
def ada(server: ChatServer) -> FileClient:
    return FileClient(server, "ada")


async def signed(client: FileClient, id: str, **query: str) -> str:
    answer = await client.server.call(client.user, "GET", f"/v1/files/{id}/url", query=query)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["url"])


async def test_who_may_read_it_reads_it(server: ChatServer, ada: FileClient) -> None:
    id = await ada.take(b"secret")
    path = f"/v1/files/{id}/content"
    answer = await ada.ask("GET", path)
    assert (answer.status_code, answer.content) == (200, b"secret")
    assert (await FileClient(server, "").ask("GET", path)).content == b"secret"
    theirs = await FileClient(server, "bob").ask("GET", path)
    nowhere = await FileClient(server, "bob").ask("GET", f"/v1/files/{'0' * 32}/content")
    assert (theirs.status_code, theirs.content) == (404, nowhere.content)
    assert (await server.http.get(path)).status_code == 401
    group = await server.world.group("ada", "bob")
    await shared(server.world, "ada", group, id)
    assert (await FileClient(server, "bob").ask("GET", path)).content == b"secret"
    assert (await FileClient(server, "eve").ask("GET", path)).status_code == 404


async def test_a_signed_url_needs_no_token_and_ends(server: ChatServer, ada: FileClient) -> None:
    id = await ada.take(b"secret")
    url = await signed(ada, id)
    answer = await server.http.get(url)
    assert (answer.status_code, answer.content) == (200, b"secret")
    assert answer.headers["cache-control"].startswith("private, max-age=")
    other = await ada.take(b"other")
    for wrong in (
        url.replace(id, other),
        url + "x",
        url.replace("expires=", "expires=9"),
        url + "&download=1",
    ):
        assert (await server.http.get(wrong)).status_code == 403, wrong
    for wrong in (url.partition("&")[0], url + "&expires=99999999999"):
        assert (await server.http.get(wrong)).status_code in (400, 401), wrong
    server.world.clock.advance(901)
    assert (await server.http.get(url)).status_code == 403


async def test_a_signed_url_of_what_is_gone_is_of_nothing(server: ChatServer, ada: FileClient) -> None:
    group = await server.world.group("ada", "bob")
    id = await ada.take(b"secret")
    seq = await shared(server.world, "ada", group, id)
    url = await signed(FileClient(server, "bob"), id)
    await server.world.do("messages.delete", "ada", conversation=group, message=seq)
    assert (await server.http.get(url)).status_code == 404


@pytest.mark.parametrize("name", ATTACKS)
async def test_nothing_runs_in_a_browser(server: ChatServer, ada: FileClient, name: str) -> None:
    id = await ada.take(ATTACKS[name], name)
    answer = await server.http.get(await signed(ada, id))
    assert answer.content == ATTACKS[name]
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_a_download_is_saved_whatever_it_is(server: ChatServer, ada: FileClient) -> None:
    id = await ada.take(b"\x1a\x45\xdf\xa3" + bytes(50), "x.webm")
    answer = await server.http.get(await signed(ada, id, download="true"))
    assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [
        ("bytes=0-0", 206, 0, 1),
        ("bytes=5-", 206, 5, 100),
        ("bytes=-7", 206, 93, 100),
        ("bytes=90-1000", 206, 90, 100),
        ("bytes=0-1,5-6", 200, 0, 100),
        ("bytes=" + "0-," * 10_000, 200, 0, 100),
        ("nonsense", 200, 0, 100),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_one_range_is_served(ada: FileClient, asked: str, status: int, start: int, end: int) -> None:
    data = bytes(range(100))
    path = f"/v1/files/{await ada.take(data)}/content"
    answer = await ada.ask("GET", path, {"Range": asked})
    assert (answer.status_code, answer.content) == (status, data[start:end])
    assert answer.headers["content-length"] == str(end - start)
    assert answer.headers["accept-ranges"] == "bytes"
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/100"


async def test_what_is_beyond_the_end_is_refused(ada: FileClient) -> None:
    path = f"/v1/files/{await ada.take(bytes(100))}/content"
    answer = await ada.ask("GET", path, {"Range": "bytes=100-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */100")


async def test_a_head_says_what_there_is(ada: FileClient) -> None:
    path = f"/v1/files/{await ada.take(bytes(100))}/content"
    answer = await ada.ask("HEAD", path, {"Range": "bytes=0-1"})
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "100")
    assert (await ada.ask("POST", path)).status_code == 405


async def test_what_a_client_has_is_not_sent_again(ada: FileClient) -> None:
    path = f"/v1/files/{await ada.take(bytes(100))}/content"
    etag = (await ada.ask("GET", path)).headers["etag"]
    answer = await ada.ask("GET", path, {"If-None-Match": f'"x", W/{etag}'})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    same = await ada.ask("GET", path, {"Range": "bytes=0-1", "If-Range": etag})
    other = await ada.ask("GET", path, {"Range": "bytes=0-1", "If-Range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)


async def test_a_file_that_is_still_coming_is_not_served(ada: FileClient) -> None:
    id = (await ada.begin(10)).rpartition("/")[2]
    assert (await ada.ask("GET", f"/v1/files/{id}/content")).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["thumbnails/0", "thumbnails/-1", "thumbnails/1000", "content/", "content/x", "thumbnails/", "CONTENT"],
)
async def test_what_a_file_has_not_is_not_there(ada: FileClient, path: str) -> None:
    id = await ada.take(b"text")
    assert (await ada.ask("GET", f"/v1/files/{id}/{path}")).status_code in (404, 405)


async def test_the_servers_own_files_are_read_by_messages(server: ChatServer) -> None:
    client = FileClient(server, "")
    id = await client.take(b"from the server")
    group = await server.world.group("ada", "bob")
    await shared(server.world, "", group, id)
    assert (
        await FileClient(server, "ada").ask("GET", f"/v1/files/{id}/content")
    ).content == b"from the server"
    assert (await server.world.files.upload(Actor(), id)).owner == ""
