from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from hubbub import config as settings
from hubbub.config import AuthConfig, Config, NamespaceConfig
from hubbub.errors import ConfigError

SECRET = "s" * 32


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str) -> Path:
    path = Path("hubbub.toml")
    path.write_text(text, encoding="utf-8")
    return path


# --- where settings come from ---------------------------------------------------------------------------------


def test_flags_win_over_the_environment_and_that_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[server]\nport = 1\nhost = '127.0.0.1'\nbacklog = 10\n")
    assert settings.load().server.port == 1
    monkeypatch.setenv("HUBBUB_SERVER__PORT", "2")
    config = settings.load()
    assert (config.server.port, config.server.backlog) == (2, 10)
    config = settings.load(server={"port": 3})
    assert (config.server.port, config.server.backlog) == (3, 10)


def test_without_a_file_there_are_defaults_and_a_named_file_must_exist() -> None:
    assert settings.load().server.port == 8000
    with pytest.raises(ConfigError, match=r"cannot read other\.toml"):
        settings.load(Path("other.toml"))


def test_load_leaves_nothing_behind_even_when_it_fails() -> None:
    write("[server]\nport = 1\n")
    settings.load()
    assert Config().server.port == 8000
    write("[server]\nport = 'x'\n")
    with pytest.raises(ConfigError):
        settings.load()
    assert Config().server.port == 8000


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[server]\nprot = 1", "server.prot"),
        ("[servr]\nport = 1", "servr"),
        ("[server]\nport = 70000", "server.port"),
        ("[limits]\nconnections = -1", "limits.connections"),
        ("[namespaces.chat]\nretenton = 5", "namespaces.chat.retenton"),
        ("[default]\nsubscribe = 'everyone'", "default.subscribe"),
        ("[auth]\nleeway = 301", "auth.leeway"),
    ],
)
def test_each_wrong_setting_is_named(text: str, named: str) -> None:
    write(text)
    with pytest.raises(ConfigError) as failure:
        settings.load()
    assert f"\n  {named}: " in str(failure.value)


@pytest.mark.parametrize("text", [b"[server", b"\xff\xfe"])
def test_a_file_that_is_not_toml_is_named(text: bytes) -> None:
    Path("hubbub.toml").write_bytes(text)
    with pytest.raises(ConfigError, match=r"hubbub\.toml is not TOML"):
        settings.load()


def test_an_unknown_name_in_a_section_of_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_SERVER__PROT", "1")
    with pytest.raises(ConfigError, match=r"server\.prot"):
        settings.load()


def test_a_secret_is_in_no_message_and_no_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_AUTH__HMAC_SECRET", "hunter2" * 6)
    monkeypatch.setenv("HUBBUB_SERVER__PORT", "x")
    with pytest.raises(ConfigError) as failure:
        settings.load()
    assert "hunter2" not in str(failure.value)
    monkeypatch.delenv("HUBBUB_SERVER__PORT")
    assert "hunter2" not in repr(settings.load())


def test_the_options_of_a_channel_are_those_of_its_namespace() -> None:
    write("[namespaces.chat]\nretention = 5\n[default]\nretention = 1\n")
    config = settings.load()
    assert [
        config.namespace(name).retention for name in ("chat:a", "chat:a:b", "chat", "other:a", "chats:a")
    ] == [
        5,
        5,
        1,
        1,
        1,
    ]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.0.2.1", False),
        ("example.com", False),
        ("localhost.evil.com", False),
    ],
)
def test_what_is_loopback(host: str, loopback: bool) -> None:
    assert settings.load(server={"host": host}).loopback is loopback


# --- the rules ------------------------------------------------------------------------------------------------


def faults(**values: Any) -> str:
    """What `validate` says of an otherwise right configuration; "" for nothing."""
    values["auth"] = {"hmac_secret": SECRET, **values.get("auth", {})}
    try:
        settings.validate(Config(**values))
    except ConfigError as error:
        return str(error)
    return ""


FAR = {"host": "0.0.0.0"}


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        ({}, {"auth": {"hmac_secret": None}}, "hubbub token --new-secret"),
        (
            {"auth": {"hmac_secret": None, "jwks_url": "https://k.example"}},
            {"auth": {"hmac_secret": None}},
            "not set",
        ),
        ({"auth": {"hmac_secret": "x" * 32}}, {"auth": {"hmac_secret": "x" * 31}}, "shorter than 32 bytes"),
        ({"auth": {"hmac_secret": "é" * 16}}, {"auth": {"hmac_secret": "é" * 15}}, "shorter than 32 bytes"),
        ({"dev": True}, {"dev": True, "server": FAR}, "--dev"),
        ({"server": FAR}, {"dev": True, "server": FAR}, "0.0.0.0"),
        (
            {"auth": {"anonymous": True}, "default": {"publish": "anyone"}},
            {"auth": {"anonymous": True}, "default": {"publish": "anyone"}, "server": FAR},
            "default.publish",
        ),
        (
            {"auth": {"anonymous": True}, "namespaces": {"a": {"publish": "authenticated"}}, "server": FAR},
            {"auth": {"anonymous": True}, "namespaces": {"a": {"publish": "anyone"}}, "server": FAR},
            "namespaces.a.publish",
        ),
        ({}, {"server": {"tls_key": __file__}}, "go together"),
        (
            {"server": {"tls_key": __file__, "tls_certificate": __file__}},
            {"server": {"tls_key": __file__, "tls_certificate": "nowhere.pem"}},
            "server.tls_certificate: there is no file",
        ),
        (
            {"auth": {"jwks_url": "https://k.example/jwks"}},
            {"auth": {"jwks_url": "http://k.example"}},
            "https",
        ),
        (
            {"auth": {"jwks_url": "http://127.0.0.1:9/k"}},
            {"auth": {"jwks_url": "http://127.0.0.1.evil.com"}},
            "https",
        ),
        (
            {"auth": {"jwks_url": "http://localhost/k"}},
            {"auth": {"jwks_url": "http://localhost.evil.com"}},
            "https",
        ),
        (
            {"auth": {"jwks_url": "http://[::1]/k"}},
            {"auth": {"jwks_url": "http://localhost@evil.com"}},
            "https",
        ),
        ({"auth": {"jwks_url": "https://k"}}, {"auth": {"jwks_url": "file:///etc/passwd"}}, "https"),
        (
            {"auth": {"api_keys": ("sha256:ab",)}},
            {"auth": {"api_keys": ("plain-key-in-clear",)}},
            "is not a hash",
        ),
        (
            {"server": {"trusted_proxies": ("10.0.0.0/8", "::1")}},
            {"server": {"trusted_proxies": ("10.0.0.0/99",)}},
            "10.0.0.0/99",
        ),
        (
            {"server": {"allowed_origins": ("*", "https://a.b")}},
            {"server": {"allowed_origins": ("a.b",)}},
            "'a.b'",
        ),
        (
            {"default": {"join_leave": True, "presence": "full"}},
            {"default": {"join_leave": True, "presence": "count"}},
            "default: join_leave",
        ),
        (
            {"namespaces": {"a": {"conflate": True, "retention": 1}}},
            {"namespaces": {"a": {"conflate": True}}},
            "namespaces.a: conflate",
        ),
        ({"namespaces": {"chat": {}}}, {"namespaces": {"chat:eu": {}}}, "'chat:eu'"),
    ],
)
def test_each_rule_from_both_sides(good: dict[str, Any], bad: dict[str, Any], says: str) -> None:
    assert faults(**good) == ""
    assert says in faults(**bad)


def test_an_api_key_in_clear_is_not_repeated_whole() -> None:
    assert "0123456789abcdef" not in faults(auth={"api_keys": ("0123456789abcdef",)})


def test_all_faults_are_told_at_once() -> None:
    told = faults(default={"conflate": True, "join_leave": True}, server={"tls_key": __file__})
    assert len(told.splitlines()) == 3


# --- --dev ----------------------------------------------------------------------------------------------------


def test_development_opens_what_was_left_open() -> None:
    config = settings.development(Config(), SECRET)
    settings.validate(config)
    assert (config.dev, config.server.playground, config.default.publish) == (True, True, "authenticated")


def test_development_keeps_what_was_set() -> None:
    given = Config(
        auth=AuthConfig(hmac_secret=SecretStr("k" * 40)),
        default=NamespaceConfig(retention=7, publish="nobody"),
    )
    config = settings.development(given, SECRET)
    assert config.auth.hmac_secret == SecretStr("k" * 40)
    assert (config.default.retention, config.default.publish, config.default.subscribe) == (
        7,
        "nobody",
        "authenticated",
    )


@pytest.mark.parametrize("presence", ["off", "count", "full"])
def test_development_with_any_presence_is_valid(presence: Any) -> None:
    config = settings.development(Config(default=NamespaceConfig(presence=presence)), SECRET)
    settings.validate(config)
    assert config.default.join_leave is (presence == "full")


def test_a_chosen_configuration_is_that_of_a_server_without_one() -> None:
    config = Config(dev=True)
    with settings.chosen(config):
        assert settings.current() is config
    assert settings.current() is not config
