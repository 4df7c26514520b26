"""The commands of the page on conversations run as they stand, one after the other."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.examples.server import ExampleServer, example_server

from hubbub.client import Client

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "conversations.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
STRICT = 'set -eu\ncurl() { command curl -sSf "$@" && echo; }\n'


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")) if kind == language]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ExampleServer]:
    with example_server(tmp_path, "--set", "chat.enabled=true") as server:
        yield server


def shell(server: ExampleServer, script: str) -> subprocess.Popen[str]:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return subprocess.Popen(
        ["sh", "-c", STRICT + script.replace("localhost:8000", server.url)],
        cwd=server.directory,
        env={**os.environ, "PATH": path, "HUBBUB_API_KEY": server.api_key},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.anyio
async def test_the_commands_run_as_they_stand(server: ExampleServer) -> None:
    assert shutil.which("jq") is not None, "install jq: the page uses it"
    commands = blocks("sh")
    (followed,) = [each for each in commands if "curl -N" in each]
    commands.remove(followed)
    process = shell(server, "\n".join([*commands, 'echo "$ID"']))
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    *answers, id = said.strip().splitlines()
    results: list[dict[str, Any]] = [json.loads(line) for line in answers if line]
    sent = next(each for each in results if "message" in each)["message"]
    assert (sent["conversation"], sent["seq"], sent["mentions"]) == (id, 2, {"users": ["bob"]})
    newest, thread = [each["messages"] for each in results if "messages" in each]
    assert [each["parts"][0]["text"] for each in newest] == ["Ship it today?"]
    assert [each["parts"][0]["text"] for each in thread] == ["After lunch."]
    assert [(each["name"], each["users"]) for each in newest[0]["reactions"]] == [("👍", ["bob"])]
    synced = next(each for each in results if "token" in each)
    assert {each["conversation"]["conversation"]["kind"] for each in synced["conversations"]} == {
        "direct",
        "group",
    }
    assert [hit["message"]["seq"] for hit in results[-1]["hits"]] == [2]
    _follow(server, followed.replace("$ID", id))
    await _calls(server, id)


def _follow(server: ExampleServer, script: str) -> None:
    """It goes on until it is stopped: what it begins with is enough."""
    process = shell(server, script)
    assert process.stdout is not None
    said = ""
    try:
        for line in process.stdout:
            said += line
            if "subscribed" in line:
                return
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    raise AssertionError(said)


async def _calls(server: ExampleServer, id: str) -> None:
    calls = [
        json.loads(line) for text in blocks("json") for line in text.replace('"..."', f'"{id}"').splitlines()
    ]
    assert [each["method"] for each in calls] == [
        "chat.sync",
        "chat.receipts.mark",
        "chat.typing.start",
        "chat.presence.follow",
    ]
    async with Client(server.url, server.token("ada")) as ada:
        for each in calls:
            assert await ada.call(each["method"], each["params"]), each["method"]
