from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from tests.cli.conftest import Command

from hubbub.cli.configuration import MASK
from hubbub.config import Config, load

SECRET = "0123456789abcdef0123456789abcdef"


def rows(text: str) -> dict[str, tuple[str, str]]:
    """`section.field` to value and source."""
    found, section = {}, ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line[1:-1] + "."
        elif line:
            name, *value, source = line.split()
            found[section + name] = (" ".join(value), source)
    return found


def test_show_says_value_and_source_of_everything(hubbub: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("hubbub.toml").write_text("[server]\nbacklog = 7\n[namespaces.chat]\nretention = 5\n")
    monkeypatch.setenv("HUBBUB_AUTH__LEEWAY", "5")
    found = rows(hubbub("config", "show", "--set", "server.port=0").out)
    assert found["server.port"] == ("0", "flag")
    assert found["auth.leeway"] == ("5.0", "HUBBUB_AUTH__LEEWAY")
    assert found["server.backlog"] == ("7", "hubbub.toml")
    assert found["server.host"] == ('"127.0.0.1"', "default")
    assert found["namespaces.chat.retention"] == ("5", "hubbub.toml")
    assert set(rows(hubbub("config", "show", "--changed").out)) == {
        "server.backlog",
        "auth.leeway",
        "namespaces.chat.retention",
    }


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_secrets_are_masked_unless_asked_for(
    form: list[str], hubbub: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBBUB_AUTH__HMAC_SECRET", SECRET)
    masked = hubbub("config", "show", *form).out
    assert SECRET not in masked
    assert MASK in masked
    assert SECRET in hubbub("config", "show", "--secrets", *form).out


def test_json_is_the_whole_tree(hubbub: Command) -> None:
    tree = json.loads(hubbub("config", "show", "--json").out)
    assert tree["server"]["port"] == 8000
    assert set(tree) == set(Config.model_fields) - {"namespaces"}


def test_check(hubbub: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = hubbub("config", "check")
    assert outcome.status == 2
    assert outcome.err.splitlines()[0] == "error: auth.hmac_secret is not set, so no token could be verified."
    monkeypatch.setenv("HUBBUB_AUTH__HMAC_SECRET", SECRET)
    assert hubbub("config", "check") == (
        0,
        "ok: the environment (there is no hubbub.toml); 1 verification key\n",
        "",
    )


def test_check_finds_every_fault(hubbub: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_AUTH__HMAC_SECRET", "short")
    outcome = hubbub("config", "check", "--set", "auth.api_keys=plain", "--set", "server.tls_key=x.pem")
    assert outcome.status == 2
    assert outcome.err.count("error: ") >= 3
    assert outcome.err.count("error: ") == outcome.err.count(" next: ")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[server]\nprot = 1\n", "server.prot"),
        ("[server]\nport = 'x'\n", "server.port"),
        ("[server", "is not TOML"),
        ("[nonsense]\n", "nonsense"),
    ],
)
def test_a_wrong_file_is_named(text: str, what: str, hubbub: Command) -> None:
    Path("hubbub.toml").write_text(text)
    for command in ("show", "check"):
        outcome = hubbub("config", command)
        assert outcome.status == 2
        assert what in outcome.err.splitlines()[0]


def test_markdown_describes_every_setting(hubbub: Command) -> None:
    text = hubbub("config", "doc").out
    assert "| `port` | integer | `8000` | Port to listen on; 0 takes a free one. |" in text
    for section in set(Config.model_fields) - {"dev", "namespaces"}:
        assert f"## `{section}`" in text
    cells = [line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("|")]
    assert set(cells) == {5}


def test_toml_is_a_file_that_sets_what_is_the_default_anyway(hubbub: Command) -> None:
    text = hubbub("config", "doc", "--format", "toml").out
    assert tomllib.loads(text) == {
        name: {} for name in Config.model_fields if name not in ("dev", "namespaces")
    }
    lines = []
    for line in text.splitlines():
        name, equals, value = line.removeprefix("# ").partition(" = ")
        if line.startswith("# [") and "<" in line:
            lines.append("[namespaces.chat]")
        elif equals and name.isidentifier() and value != "...":
            lines.append(f"{name} = {value}")
        elif line.startswith("["):
            lines.append(line)
    Path("all.toml").write_text("\n".join(lines))
    full = load(Path("all.toml"))
    assert full.server == Config().server
    assert full.namespaces["chat"] == Config().default


def test_env_names_work(hubbub: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    for line in hubbub("config", "doc", "--format", "env").out.splitlines():
        name, equals, value = line.removeprefix("# ").partition("=")
        if equals and name.startswith("HUBBUB_") and "<" not in name and value:
            monkeypatch.setenv(name, value)
            names.append(name)
    assert len(names) > 60
    assert load() == Config()
