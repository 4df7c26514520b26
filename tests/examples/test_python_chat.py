from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.examples.server import EXAMPLES, example_server

from hubbub.client.blocking import Client
from hubbub.client.chat import text_of


def test_what_is_typed_is_sent(tmp_path: Path) -> None:
    with (
        example_server(tmp_path, "--set", "chat.enabled=true") as server,
        Client(server.url, server.token("bob")) as bob,
    ):
        bob.chat.start()
        command = [sys.executable, str(EXAMPLES / "python_chat.py"), server.url, server.token("ada"), "bob"]
        done = subprocess.run(
            command,
            input="Hello\nAre you there?\n",
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        id = bob.chat.call("conversations.direct", {"user": "ada"}).conversation.conversation.id
        page = bob.chat.call("messages.list", {"conversation": id})
        assert [text_of(each) for each in page.messages] == ["Hello", "Are you there?"]
        assert (tmp_path / "outbox.db").exists()
