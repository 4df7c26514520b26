from __future__ import annotations

import secrets
from email.utils import formatdate
from pathlib import Path

import pytest
from tests.cli.conftest import Command
from tests.cli.stub import Answer, stub


def findings(text: str) -> dict[str, str]:
    """Subject to verdict."""
    lines = [line for line in text.splitlines() if not line.startswith(" ")]
    return {line[6:18].strip(): line[:5].strip() for line in lines}


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_AUTH__HMAC_SECRET", secrets.token_urlsafe(32))
    monkeypatch.setenv("HUBBUB_LIMITS__CONNECTIONS", "100")


def test_a_ready_server(hubbub: Command) -> None:
    with stub(Answer(200, b"ok\n")) as (url, asked):
        outcome = hubbub("doctor", "--url", url)
    found = findings(outcome.out)
    assert asked[0].path == "/health/ready"
    assert {found[name] for name in ("python", "settings", "secret", "descriptors", "server", "clock")} == {
        "ok"
    }
    assert outcome.status == 0


@pytest.mark.parametrize(
    ("answer", "subject"),
    [
        (Answer(503, b"draining\n"), "server"),
        (Answer(404, b"nothing\n"), "server"),
        (Answer(200, headers=(("Date", formatdate(1_600_000_000, usegmt=True)),)), "clock"),
    ],
)
def test_what_is_broken_fails(answer: Answer, subject: str, hubbub: Command) -> None:
    with stub(answer) as (url, _):
        outcome = hubbub("doctor", "--url", url)
    assert findings(outcome.out)[subject] == "fail"
    assert outcome.status == 1


def test_wrong_settings_fail_with_advice(hubbub: Command) -> None:
    Path("hubbub.toml").write_text("[server]\nprot = 1\n")
    outcome = hubbub("doctor")
    assert findings(outcome.out)["settings"] == "fail"
    assert "server.prot" in outcome.out
    assert "hubbub config doc" in outcome.out
    assert outcome.status == 1


def test_every_line_that_is_not_ok_says_what_to_do(hubbub: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_AUTH__HMAC_SECRET", "a" * 40)
    monkeypatch.setenv("HUBBUB_LIMITS__CONNECTIONS", "10000000")
    with stub(Answer(200)) as (url, _):
        lines = hubbub("doctor", "--url", url).out.splitlines()
    for place, line in enumerate(lines):
        if line.startswith(("warn", "fail")):
            assert lines[place + 1].startswith(" " * 19)


def test_server_text_cannot_steer_the_terminal(hubbub: Command) -> None:
    with stub(Answer(503, b"\x1b[2Jok\n")) as (url, _):
        assert "\x1b" not in hubbub("doctor", "--url", url).out
