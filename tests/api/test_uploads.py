"""Files coming in over HTTP: tus 1.0.0 as it is written, small files in one request, and what attackers send."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.api.chat_server import ChatServer
from tests.api.file_server import PATCH, TUS, FileClient
from tests.attachments.pictures import png
from tests.chat.later import pass_time
from tests.chat.sharing import content, file_row, usage

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ChatServer]:
    attachments = {
        "file_bytes": 5_000_000,
        "small_bytes": 1_000_000,
        "quota_bytes": 20_000_000,
        "uploads": 200,
    }
    running = await ChatServer(tmp_path, attachments=attachments, limits={"command_rate": 0.0}).start()
    await running.world.users("ada", "bob")
    yield running
    await running.world.check()
    await running.stop()


@pytest.fixture
def ada(server: ChatServer) -> FileClient:
    return FileClient(server, "ada")


def id_of(path: str) -> str:
    return path.rpartition("/")[2]


async def test_what_there_is_of_tus_is_said_to_everybody(server: ChatServer) -> None:
    answer = await server.http.options("/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-max-size"] == "5000000"
    said = "creation,creation-with-upload,expiration,termination,checksum"
    assert answer.headers["tus-extension"] == said
    assert answer.headers["tus-checksum-algorithm"] == "sha1,sha256,md5"


async def test_an_upload_in_pieces(server: ChatServer, ada: FileClient) -> None:
    data = bytes(range(256)) * 8_000
    path = await ada.begin(len(data), "ü.bin")
    place = 0
    for size in (1, 700_000, 0, 1_000_000, len(data)):
        answer = await ada.patch(path, place, data[place : place + size])
        assert answer.status_code == 204, answer.text
        assert answer.headers["tus-resumable"] == "1.0.0"
        place = int(answer.headers["upload-offset"])
        asked = await ada.ask("HEAD", path, TUS)
        assert (asked.status_code, asked.content) == (200, b"")
        assert asked.headers["upload-offset"] == str(place)
        assert asked.headers["upload-length"] == str(len(data))
        assert asked.headers["cache-control"] == "no-store"
        assert asked.headers["upload-metadata"].startswith("filename ")
        assert ("upload-expires" in asked.headers) is (place < len(data))
    assert place == len(data)
    assert await content(server.world, id_of(path)) == data
    again = await ada.patch(path, place, b"")
    assert again.status_code == 204


async def test_an_upload_can_begin_with_its_bytes(ada: FileClient) -> None:
    headers = {**PATCH, "Upload-Length": "10"}
    answer = await ada.ask("POST", "/v1/uploads", headers, b"hello")
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "5")
    done = await ada.patch(answer.headers["location"], 5, b"world")
    assert done.headers["upload-offset"] == "10"


@pytest.mark.parametrize("offset", ["0", "4", "6", "9007199254740992"])
async def test_only_where_it_is_it_goes_on(ada: FileClient, offset: str) -> None:
    path = await ada.begin(10)
    await ada.patch(path, 0, b"hello")
    answer = await ada.patch(path, int(offset), b"world")
    assert (answer.status_code, answer.json()["name"]) == (409, "upload_conflict")
    assert (await ada.ask("HEAD", path, TUS)).headers["upload-offset"] == "5"


async def test_of_two_at_once_at_one_place_one_wins(server: ChatServer, ada: FileClient) -> None:
    path = await ada.begin(1_000)
    answers = await asyncio.gather(*(ada.patch(path, 0, bytes([n]) * 1_000) for n in range(10)))
    assert sorted(answer.status_code for answer in answers) == [204] + [409] * 9
    kept = await content(server.world, id_of(path))
    assert len(set(kept)) == 1
    assert len(kept) == 1_000


async def test_a_checksum_is_held_against_the_bytes(ada: FileClient) -> None:
    path = await ada.begin(10)
    right = "sha1 " + base64.b64encode(hashlib.sha1(b"hello").digest()).decode()
    wrong = await ada.patch(path, 0, b"jello", {"Upload-Checksum": right})
    assert wrong.status_code == 460
    assert (await ada.ask("HEAD", path, TUS)).headers["upload-offset"] == "0"
    assert (await ada.patch(path, 0, b"hello", {"Upload-Checksum": right})).status_code == 204
    unknown = await ada.patch(path, 5, b"world", {"Upload-Checksum": "crc32 AAAA"})
    assert unknown.status_code == 400


async def test_an_upload_is_given_up(server: ChatServer, ada: FileClient) -> None:
    path = await ada.begin(10)
    await ada.patch(path, 0, b"hello")
    assert (await ada.ask("DELETE", path, TUS)).status_code == 204
    for method in ("HEAD", "DELETE"):
        assert (await ada.ask(method, path, TUS)).status_code == 404
    assert (await ada.patch(path, 5, b"world")).status_code == 404
    assert await usage(server.world, "ada") == (0, 0)


async def test_an_unfinished_upload_goes_after_a_day_without_a_byte(
    server: ChatServer, ada: FileClient
) -> None:
    path = await ada.begin(10)
    for place in range(3):
        await pass_time(server.world, 80_000.0, step=40_000.0)
        assert (await ada.patch(path, place, b"x")).status_code == 204
    await pass_time(server.world, 87_000.0, step=43_500.0)
    assert (await ada.ask("HEAD", path, TUS)).status_code == 404
    assert await file_row(server.world, id_of(path)) is None
    assert await usage(server.world, "ada") == (0, 0)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Length": "10", "Tus-Resumable": "0.2.2"}, 412),
        ({}, 400),
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "1e3"}, 400),
        ({"Upload-Length": "0"}, 400),
        ({"Upload-Length": "٣"}, 400),
        ({"Upload-Length": "9" * 30}, 400),
        ({"Upload-Length": "5000001"}, 413),
        ({"Upload-Defer-Length": "1"}, 400),
        ({"Upload-Length": "10", "Upload-Metadata": "filename !"}, 400),
        ({"Upload-Length": "10", "Upload-Metadata": "x " + "A" * 5_000}, 400),
        (
            {"Upload-Length": "10", "Upload-Metadata": "filename " + base64.b64encode(b"x" * 201).decode()},
            422,
        ),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_what_cannot_be_begun(ada: FileClient, headers: dict[str, str], status: int) -> None:
    answer = await ada.ask(
        "POST", "/v1/uploads", {**TUS, **{k: v for k, v in headers.items() if v.isascii()}}
    )
    if all(value.isascii() for value in headers.values()):
        assert answer.status_code == status, answer.text
    else:
        assert answer.status_code == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": ""}, 415),
        ({"Upload-Offset": "-0"}, 400),
        ({"Upload-Offset": "0x0"}, 400),
        ({"Upload-Offset": ""}, 400),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_what_cannot_go_on(ada: FileClient, headers: dict[str, str], status: int) -> None:
    path = await ada.begin(10)
    assert (await ada.patch(path, 0, b"hello", headers)).status_code == status


async def test_more_than_was_said_is_refused(ada: FileClient) -> None:
    path = await ada.begin(10)
    assert (await ada.patch(path, 0, b"x" * 11)).status_code == 413
    assert (await ada.ask("HEAD", path, TUS)).headers["upload-offset"] == "0"


async def test_another_users_upload_is_as_one_that_is_not_there(server: ChatServer, ada: FileClient) -> None:
    path = await ada.begin(10)
    missing = f"/v1/uploads/{'0' * 32}"
    for other in (FileClient(server, "bob"), FileClient(server, "")):
        for method, headers in (("HEAD", TUS), ("PATCH", {**PATCH, "Upload-Offset": "0"}), ("DELETE", TUS)):
            theirs = await other.ask(method, path, headers, b"x" if method == "PATCH" else b"")
            nowhere = await other.ask(method, missing, headers, b"x" if method == "PATCH" else b"")
            assert (theirs.status_code, theirs.content) == (404, nowhere.content), method
    assert (await ada.ask("HEAD", path, TUS)).headers["upload-offset"] == "0"


async def test_nobody_uploads_anything(server: ChatServer, ada: FileClient) -> None:
    path = await ada.begin(10)
    for method, where in (("POST", "/v1/uploads"), ("HEAD", path), ("PATCH", path), ("DELETE", path)):
        answer = await server.http.request(method, where, headers={**PATCH, "Upload-Offset": "0"})
        assert answer.status_code == 401, method


@pytest.mark.parametrize(
    "id", ["", "..", "..%2fme", "%2e%2e", "x" * 32, "0" * 31, "0" * 5_000, "\u202e", "%00"]
)
async def test_ids_that_are_none(ada: FileClient, id: str) -> None:
    for method in ("HEAD", "PATCH", "DELETE"):
        answer = await ada.ask(method, f"/v1/uploads/{id}", {**PATCH, "Upload-Offset": "0"})
        assert answer.status_code in (404, 405), method


async def test_who_can_only_post_says_what_it_means(ada: FileClient) -> None:
    path = await ada.begin(5)
    headers = {**PATCH, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert (await ada.ask("POST", path, headers, b"hello")).status_code == 204
    assert (await ada.ask("GET", path, TUS)).status_code == 405


async def test_the_quota_holds_against_a_hundred_at_once(server: ChatServer, ada: FileClient) -> None:
    answers = await asyncio.gather(
        *(ada.ask("POST", "/v1/uploads", {**TUS, "Upload-Length": "3000000"}) for _ in range(100))
    )
    codes = [answer.status_code for answer in answers]
    assert (codes.count(201), codes.count(413)) == (6, 94)
    assert await usage(server.world, "ada") == (6, 18_000_000)


# --- in one request -----------------------------------------------------------------------------------------------


async def test_a_small_file_in_one_request(server: ChatServer, ada: FileClient) -> None:
    answer = await ada.ask("POST", "/v1/uploads?name=cat.png", None, png())
    assert answer.status_code == 201
    file = answer.json()
    assert answer.headers["location"] == f"/v1/files/{file['id']}"
    assert (file["state"], file["owner"], file["size"]) == ("ready", "ada", len(png()))
    assert (file["type"], file["width"], file["height"]) == ("image/png", 4, 3)


@pytest.mark.parametrize(("size", "status"), [(1_000_000, 201), (1_000_001, 413), (0, 422)])
async def test_a_small_file_is_small(ada: FileClient, size: int, status: int) -> None:
    assert (await ada.ask("POST", "/v1/uploads", None, bytes(size))).status_code == status


async def test_a_form_has_a_file(server: ChatServer, ada: FileClient) -> None:
    data = bytes(range(256)) * 100
    form: Any = {"note": (None, b"hello"), "file": ("a.bin", data, "text/html"), "other": ("b.bin", b"no")}
    given = server.credentials("ada")
    answer = await server.http.post("/v1/uploads", headers=given, files=form)
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == "a.bin"
    assert answer.json()["type"] != "text/html"
    assert await content(server.world, answer.json()["id"]) == data


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=", b"x", 400),
        ("multipart/form-data; boundary=x", b"nonsense", 400),
        ("multipart/form-data; boundary=x", b"--x\r\n", 400),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--',
            422,
        ),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 10_000 + b"\r\n", 400),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 50,
            400,
        ),
        ("multipart/form-data; boundary=" + "x" * 2_000, b"x", 400),
    ],
    ids=range(8),
)
async def test_what_is_no_form(ada: FileClient, kind: str, body: bytes, status: int) -> None:
    answer = await ada.ask("POST", "/v1/uploads", {"Content-Type": kind}, body)
    assert answer.status_code == status, answer.text


async def test_a_type_that_is_not_taken_says_why(server: ChatServer, ada: FileClient) -> None:
    answer = await ada.ask("POST", "/v1/uploads?name=a.png", None, b"MZ" + bytes(200))
    assert (answer.status_code, answer.json()["name"]) == (415, "file_refused")
    assert await usage(server.world, "ada") == (0, 0)
    path = await ada.begin(202, "cat.png")
    refused = await ada.patch(path, 0, b"MZ" + bytes(200))
    assert refused.status_code == 415
    file = (await ada.ask("GET", f"/v1/files/{id_of(path)}")).json()
    assert file["state"] == "refused"
    assert file["reason"]
    assert (await ada.ask("GET", f"/v1/files/{id_of(path)}/content")).status_code == 404


async def test_the_same_upload_twice_is_two_files(server: ChatServer, ada: FileClient) -> None:
    assert await ada.take(b"same") != await ada.take(b"same")
    assert await usage(server.world, "ada") == (2, 8)
