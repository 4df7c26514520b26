from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hubbub.cli.output import Problem
from hubbub.cli.settings import Sources, leaves, parse_assignments
from hubbub.config import load


@pytest.mark.parametrize(
    ("assignments", "flags"),
    [
        ([], {}),
        (["server.port=0", "server.host=::1"], {"server": {"port": "0", "host": "::1"}}),
        (["namespaces.chat.retention=10"], {"namespaces": {"chat": {"retention": "10"}}}),
        (["server.allowed_origins=a, b,"], {"server": {"allowed_origins": ["a", "b"]}}),
        (['server.allowed_origins=["a"]'], {"server": {"allowed_origins": ["a"]}}),
        (['auth.public_keys={"k": "a.pem"}'], {"auth": {"public_keys": {"k": "a.pem"}}}),
        (["auth.hmac_secret=a=b"], {"auth": {"hmac_secret": "a=b"}}),
        (["dev=true"], {"dev": "true"}),
    ],
)
def test_assignments(assignments: list[str], flags: dict[str, Any]) -> None:
    assert parse_assignments(assignments) == flags
    load(**flags)


@pytest.mark.parametrize(
    "assignments",
    [["port"], ["port=1"], ["=1"], ["server.allowed_origins=[1"], ["server.port=1", "server.port.x=1"]],
)
def test_what_is_no_assignment(assignments: list[str]) -> None:
    with pytest.raises(Problem, match="--set"):
        parse_assignments(assignments)


def test_every_setting_is_a_leaf() -> None:
    found = dict(leaves(load(namespaces={"chat": {"retention": 5}})))
    assert found["server", "port"] == 8000
    assert found["namespaces", "chat", "retention"] == 5
    assert found["default", "retention"] == 0
    assert found["dev",] is False


def test_sources(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("hubbub.toml").write_text("[server]\nport = 1\nbacklog = 2\n[namespaces.a]\nretention = 1\n")
    monkeypatch.setenv("HUBBUB_SERVER__PORT", "3")
    monkeypatch.setenv("HUBBUB_LIMITS", '{"batch": 5}')
    sources = Sources(None, {"server": {"host": "::1"}})
    assert sources.of(("server", "host")) == "flag"
    assert sources.of(("server", "port")) == "HUBBUB_SERVER__PORT"
    assert sources.of(("server", "backlog")) == "hubbub.toml"
    assert sources.of(("server", "docs")) == "default"
    assert sources.of(("limits", "batch")) == "HUBBUB_LIMITS"
    assert sources.of(("limits", "history")) == "default"
    assert sources.of(("namespaces", "a", "retention")) == "hubbub.toml"
