"""What importing the SDK brings with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

SERVERS = (
    "litestar",
    "litellm",
    "sqlalchemy",
    "alembic",
    "uvicorn",
    "uvloop",
    "jwt",
    "cryptography",
    "structlog",
    "prometheus_client",
    "pydantic",
    "pydantic_settings",
    "typer",
    "obstore",
    "PIL",
    "re2",
    "multipart",
)
"""What a server needs, and a client has not to wait for."""
OURS = ("hubbub.chat.model", "hubbub.chat.events", "hubbub.chat.heads", "hubbub.chat.program_events")
"""The pure modules of the chat that the SDK shares (decision 16)."""
SHOW = "import sys; import {0}; print(*sys.modules, sep='\\n')"


def imported(module: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SHOW.format(module)], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module", ["hubbub.client", "hubbub.client.server", "hubbub.client.blocking", "hubbub.client.chat.chat"]
)
def test_nothing_of_a_server_comes_with_it(module: str) -> None:
    there = imported(module)
    assert not {name.partition(".")[0] for name in there} & set(SERVERS)
    ours = {name for name in there if name.startswith("hubbub.") and not name.startswith("hubbub.client")}
    assert ours <= {"hubbub.model", "hubbub.errors", "hubbub.chat", *OURS}


def test_what_is_not_used_is_not_imported() -> None:
    """The chat's two hundred types, the database of the outbox and the WebSocket come when they are asked for."""
    there = imported("hubbub.client")
    assert not {"hubbub.chat", "hubbub.client.chat", "sqlite3", "websockets", "httptools"} & there
