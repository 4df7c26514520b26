from __future__ import annotations

import io
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from hubbub.auth.api_keys import hash_key
from hubbub.auth.keys import load_keys
from hubbub.auth.tokens import KeySet, TokenRules, verify
from hubbub.cli.development import Banner, develop, program
from hubbub.clock import SystemClock
from hubbub.config import Config, load, validate


def banner(config: Config, port: int = 8000, host: str = "127.0.0.1") -> str:
    chosen, keys, kept = develop(config)
    return Banner(chosen, keys, kept, usual=config.server).text(host, port)


def test_development_is_complete_and_lets_the_key_in() -> None:
    config, keys, kept = develop(load())
    validate(config)
    assert kept
    assert config.dev
    assert config.auth.hmac_secret is not None
    assert config.auth.hmac_secret.get_secret_value() == keys.secret
    assert config.auth.api_keys == (hash_key(keys.api_key),)
    assert (config.server.drain_window, config.telemetry.log_level) == (1.0, "warning")


def test_a_busy_machine_turns_nobody_away_while_developing(monkeypatch: pytest.MonkeyPatch) -> None:
    for level in ("BUSY", "OVERLOADED", "CRITICAL"):
        monkeypatch.delenv(f"HUBBUB_LOAD__{level}", raising=False)
    levels = ("busy", "overloaded", "critical")
    config, *_ = develop(load())
    validate(config)
    assert [getattr(config.load, level) for level in levels] == [1000.0] * 3
    config, *_ = develop(load(load={"critical": 0.9}))
    assert [getattr(config.load, level) for level in levels] == [0.7, 0.85, 0.9]


def test_what_is_set_stays() -> None:
    config, keys, _ = develop(
        load(server={"drain_window": 5}, telemetry={"log_level": "info"}, auth={"hmac_secret": "x" * 32})
    )
    assert (config.server.drain_window, config.telemetry.log_level) == (5.0, "info")
    assert config.auth.hmac_secret is not None
    assert config.auth.hmac_secret.get_secret_value() == "x" * 32 != keys.secret


@pytest.mark.parametrize(
    "config", [{}, {"auth": {"audience": "a", "issuer": "i", "max_lifetime": 60, "algorithms": ["HS512"]}}]
)
def test_the_token_is_accepted(config: dict[str, Any]) -> None:
    chosen, keys, kept = develop(load(**config))
    text = Banner(chosen, keys, kept, usual=chosen.server).text("127.0.0.1", 8000)
    token = next(line for line in text.splitlines() if line.startswith("eyJ"))
    auth = chosen.auth
    rules = TokenRules(auth.audience, auth.issuer, auth.leeway, auth.max_lifetime)
    principal = verify(token, KeySet(load_keys(auth)), rules, SystemClock().now())
    assert principal.user == "alice"
    assert principal.permissions == ()


def test_where_rules_ask_for_permissions_the_token_has_them() -> None:
    chosen, keys, kept = develop(load(namespaces={"closed": {"retention": 1}}))
    text = Banner(chosen, keys, kept, usual=chosen.server).text("127.0.0.1", 8000)
    token = next(line for line in text.splitlines() if line.startswith("eyJ"))
    principal = verify(token, KeySet(load_keys(chosen.auth)), TokenRules(), SystemClock().now())
    assert principal.permissions[0].pattern == "*"


def test_commands_say_where_only_when_they_must() -> None:
    assert f"{program()} tail lobby\n" in banner(load())
    assert "tail lobby --url http://127.0.0.1:81\n" in banner(load(), 81)
    assert "http://[::1]:8000" in banner(load(), host="::1")


def test_piped_every_command_is_one_line_and_nothing_is_coloured() -> None:
    text = banner(load())
    assert "\x1b" not in text
    commands = [line for line in text.splitlines() if line.startswith("curl")]
    assert len(commands) == 2
    for command in commands:
        shlex.split(command)
        assert not command.endswith("\\")


def test_on_a_terminal_only_tokens_are_longer_than_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = banner(load(), 65535)
    assert "\x1b[1m" in text
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert all(len(line) <= 80 for line in plain.splitlines() if "eyJ" not in line and program() not in line)


def test_it_says_when_keys_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "conversations are kept in .hubbub/ and outlive a restart" in banner(load())

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    Path(".hubbub/dev.json").unlink()
    monkeypatch.setattr(Path, "mkdir", refuse)
    assert "the next start makes new keys" in banner(load())


def test_program_can_be_run() -> None:
    path, *rest = shlex.split(program())
    assert path == "hubbub" or Path(path).exists()
    assert rest in ([], ["-m", "hubbub"])
