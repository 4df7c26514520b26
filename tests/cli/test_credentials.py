from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from hubbub.cli.credentials import (
    FILE,
    DevelopmentKeys,
    base_url,
    development_keys,
    read_development_keys,
    sign,
    with_secret,
)
from hubbub.cli.output import Problem
from hubbub.config import Config


def test_keys_are_made_once_and_only_for_their_owner(directory: Path) -> None:
    assert read_development_keys() is None
    keys, kept = development_keys()
    assert kept
    assert development_keys() == (keys, True)
    assert read_development_keys() == keys
    assert len(keys.secret) >= 43
    assert keys.api_key.startswith("hubbub_")
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o600
    assert stat.S_IMODE(FILE.parent.stat().st_mode) == 0o700
    assert (FILE.parent / ".gitignore").read_text() == "*\n"
    assert [entry.name for entry in directory.iterdir()] == [".hubbub"]


def test_a_file_that_all_may_read_is_closed() -> None:
    development_keys()
    FILE.chmod(0o644)
    development_keys()
    assert stat.S_IMODE(FILE.stat().st_mode) == 0o600


def test_a_link_is_not_followed(directory: Path) -> None:
    development_keys()
    FILE.rename(directory / "elsewhere.json")
    FILE.symlink_to(directory / "elsewhere.json")
    with pytest.raises(Problem, match="cannot read"):
        development_keys()


def test_a_file_of_somebody_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    development_keys()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(Problem, match="another user"):
        development_keys()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"secret": "short", "api_key": "x"}', '{"secret": 1, "api_key": 2}']
)
def test_a_damaged_file_is_named(text: str) -> None:
    development_keys()
    FILE.write_text(text)
    with pytest.raises(Problem, match="damaged"):
        read_development_keys()


def test_where_nothing_can_be_written_keys_live_once(directory: Path) -> None:
    (directory / ".hubbub").write_text("a file where the directory should be")
    with pytest.raises(Problem, match="cannot read"):
        development_keys()


def test_keys_that_cannot_be_kept_are_made_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    first, kept = development_keys()
    assert not kept
    assert development_keys()[0] != first


def secret_of(config: Config) -> str | None:
    secret = config.auth.hmac_secret
    return secret.get_secret_value() if secret else None


def test_the_secret_is_the_one_given_else_configured_else_made_up_by_dev() -> None:
    ours = Config(auth={"hmac_secret": "c" * 32})
    assert secret_of(with_secret(Config())) is None
    keys = development_keys()[0]
    assert secret_of(with_secret(Config())) == keys.secret
    assert secret_of(with_secret(ours)) == "c" * 32
    assert secret_of(with_secret(ours, "g" * 32)) == "g" * 32


def test_asymmetric_keys_need_no_secret() -> None:
    development_keys()
    config = Config(auth={"jwks_url": "https://idp/keys"})
    with pytest.raises(Problem, match="no secret to sign with"):
        sign(with_secret(config), "ada", 60)


def test_without_hmac_algorithms_nothing_is_signed() -> None:
    config = Config(auth={"hmac_secret": "c" * 32, "algorithms": ["ES256"]})
    with pytest.raises(Problem, match=r"auth\.algorithms"):
        sign(config, "ada", 60)


def test_the_file_is_plain_json() -> None:
    keys = development_keys()[0]
    assert DevelopmentKeys(**json.loads(FILE.read_text())) == keys


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
    ],
)
def test_where_a_server_is_reached(host: str, url: str) -> None:
    assert base_url(Config(server={"host": host})) == url
    assert base_url(Config(), host, 8000) == url


def test_tls_is_https(tmp_path: Path) -> None:
    config = Config(server={"tls_certificate": tmp_path / "x.pem"})
    assert base_url(config) == "https://127.0.0.1:8000"
