"""The bytes of files: on disk, in memory, and in an S3 that moto plays."""

from __future__ import annotations

import asyncio
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, Popen

import pytest
from tests.waiting import until

from hubbub.attachments.base import Blobs
from hubbub.attachments.blobs import ObjectBlobs
from hubbub.config import AttachmentsConfig
from hubbub.errors import ConfigError, ErrorCode, HubbubError
from hubbub.testing.contracts import BlobsContract
from hubbub.transports.server import listen

BUCKET = "hubbub-test"


def config(url: str, **options: str) -> AttachmentsConfig:
    return AttachmentsConfig.model_validate({"url": url, "options": options})


class TestFolder(BlobsContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder_path = tmp_path / "files"

    async def open(self) -> Blobs:
        return ObjectBlobs(config(f"file:{self.folder_path}"))

    @pytest.mark.anyio
    async def test_no_empty_folder_is_left_and_what_was_half_written_goes(self) -> None:
        blobs = await self.open()
        await blobs.start()
        await blobs.put("files/ab/abc/content", b"x")
        half = self.folder_path / "files/ab/abc/content#1"
        await asyncio.to_thread(half.write_bytes, b"half")
        await blobs.drop("files/ab/abc")
        assert not half.parent.exists()
        await blobs.stop()

    @pytest.mark.anyio
    async def test_nothing_is_made_before_there_is_something_to_keep(self) -> None:
        blobs = await self.open()
        await blobs.start()
        assert not self.folder_path.exists()
        await blobs.put("a", b"x")
        assert self.folder_path.exists()
        await blobs.stop()


class TestMemory(BlobsContract):
    @pytest.fixture(autouse=True)
    def _one(self) -> None:
        self.one = ObjectBlobs(config("memory:"))

    async def open(self) -> Blobs:
        return _Shared(self.one)


class _Shared(ObjectBlobs):
    """Another node's way to the memory of one process."""

    def __init__(self, one: ObjectBlobs) -> None:
        super().__init__(config("memory:"))
        self._one = one

    async def start(self) -> None:
        if self._one._store is None:
            await self._one.start()
        self._store, self._serving = self._one._store, True


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The URL of an S3 server with a bucket."""
    sock = listen("127.0.0.1", 0, 16)
    port = sock.getsockname()[1]
    sock.close()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = Popen(command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        asyncio.run(until(lambda: _made(url)))
        yield url
    finally:
        process.kill()
        process.wait()


def _made(url: str) -> bool:
    request = urllib.request.Request(f"{url}/{BUCKET}", method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def at(s3: str) -> AttachmentsConfig:
    return config(
        f"s3://{BUCKET}/some/prefix",
        aws_endpoint=s3,
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        aws_region="us-east-1",
        aws_allow_http="true",
    )


class TestS3(BlobsContract):
    @pytest.fixture(autouse=True)
    def _s3(self, s3: str) -> None:
        self.url = s3

    async def open(self) -> Blobs:
        return ObjectBlobs(at(self.url))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("s3://bucket", {"aws_nonsense": "x"}),
        ("s3:", {}),
        ("gs://", {}),
        ("file:/dev/null/files", {}),
    ],
)
async def test_what_an_operator_must_mend_is_said_at_the_start(url: str, options: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"attachments\.(url|options)"):
        await ObjectBlobs(config(url, **options)).start()


@pytest.mark.anyio
async def test_a_store_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    monkeypatch.setattr("hubbub.attachments.blobs.PATIENCE", timedelta(seconds=1))
    monkeypatch.setattr("hubbub.attachments.blobs.RETRIES", 0)
    blobs = ObjectBlobs(at("http://127.0.0.1:9"))
    await blobs.start()
    with pytest.raises(HubbubError) as failure:
        await blobs.put("a", b"x")
    assert failure.value.code == ErrorCode.STORE_UNAVAILABLE
    assert "127.0.0.1" not in failure.value.message
    await blobs.stop()
