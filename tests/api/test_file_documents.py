"""That what the OpenAPI document says of files' bytes is what the server does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.api.chat_server import ChatServer
from tests.api.file_server import TUS, FileClient
from tests.api.test_files import signed
from tests.chat.sharing import shared

from hubbub.api.app import routers
from hubbub.api.documents import openapi_document
from hubbub.api.file_documents import PATHS
from hubbub.chat.directory import OPERATIONS

pytestmark = pytest.mark.anyio
DOCUMENT: Any = json.loads(msgspec.json.encode(openapi_document(routers(), "", tuple(OPERATIONS.values()))))
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
ID = "0" * 32


@pytest.fixture
async def ada(tmp_path: Path) -> AsyncIterator[FileClient]:
    running = await ChatServer(tmp_path, limits={"command_rate": 0.0}).start()
    await running.world.users("ada", "bob")
    yield FileClient(running, "ada")
    await running.world.check()
    await running.stop()


def filled(path: str, file: str = ID) -> str:
    return path.replace("{file}", file).replace("{place}", "0")


def check(method: str, path: str, answer: Any) -> None:
    """The answer is one that the document has, and so are its headers."""
    operation = DOCUMENT["paths"][path][method.lower()]
    described = operation["responses"].get(str(answer.status_code))
    assert described is not None, (method, path, answer.status_code)
    for name in described.get("headers", {}):
        if name not in ("Upload-Expires", "Upload-Offset"):
            assert name in answer.headers
    for name in answer.headers:
        if name.startswith("upload-") and name != "upload-metadata":
            assert name.title() in described["headers"]


@pytest.mark.parametrize("path", PATHS)
async def test_all_methods_there_are_described(ada: FileClient, path: str) -> None:
    answers = {method: await ada.ask(method, filled(path), TUS) for method in METHODS}
    there = {method.lower() for method, answer in answers.items() if answer.status_code not in (404, 405)}
    missing = {method.lower() for method, answer in answers.items() if answer.status_code == 404}
    assert there | missing == set(PATHS[path]) | ({"options"} if "uploads/" in path else set())


async def test_a_file_comes_in_and_goes_out_as_described(ada: FileClient) -> None:
    small = await ada.ask("POST", "/v1/uploads?name=a.txt", None, b"hello")
    check("POST", "/v1/uploads", small)
    assert set(small.json()) <= set(DOCUMENT["components"]["schemas"]["File"]["properties"])
    check("OPTIONS", "/v1/uploads", await ada.ask("OPTIONS", "/v1/uploads"))
    begun = await ada.ask("POST", "/v1/uploads", {**TUS, "Upload-Length": "10"})
    check("POST", "/v1/uploads", begun)
    path = begun.headers["location"]
    upload = "/v1/uploads/{file}"
    check("HEAD", upload, await ada.ask("HEAD", path, TUS))
    check("PATCH", upload, await ada.patch(path, 0, b"hello", {"Upload-Checksum": "sha1 AAAA"}))
    check("PATCH", upload, await ada.patch(path, 5, b"hello"))
    check("PATCH", upload, await ada.patch(path, 0, b"hello"))
    check("PATCH", upload, await ada.patch(path, 5, b"hello and more"))
    check("DELETE", upload, await ada.ask("DELETE", path, TUS))
    check("HEAD", upload, await ada.ask("HEAD", path, TUS))
    world = ada.server.world
    group = await world.group("ada", "bob")
    file = small.json()["id"]
    await shared(world, "ada", group, file)
    content = "/v1/files/{file}/content"
    at = filled(content, file)
    whole = await ada.ask("GET", at)
    asked = [{}, {"Range": "bytes=1-2"}, {"Range": "bytes=9-"}, {"If-None-Match": whole.headers["etag"]}]
    for headers in asked:
        check("GET", content, await ada.ask("GET", at, headers))
    check("HEAD", content, await ada.ask("HEAD", at))
    check("GET", content, await ada.server.http.get(await signed(ada, file)))
    check("GET", content, await ada.server.http.get(at))
    check("GET", content, await ada.server.http.get(f"{at}?signature=x&expires=1"))
    thumbnail = "/v1/files/{file}/thumbnails/{place}"
    check("GET", thumbnail, await ada.ask("GET", filled(thumbnail, file)))
