from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from tests.cli.conftest import Command

from hubbub.auth.api_keys import hash_key
from hubbub.auth.tokens import mint, mint_subscription
from hubbub.cli.credentials import development_keys

SECRET = "configured-secret-of-the-server!"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_AUTH__HMAC_SECRET", SECRET)


def claims_of(text: str, secret: str = SECRET) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(text.strip(), secret, algorithms=["HS256"])
    return claims


def test_a_token_is_all_that_is_printed(hubbub: Command) -> None:
    outcome = hubbub("token", "ada")
    assert outcome.status == 0
    claims = claims_of(outcome.out)
    assert (claims["sub"], claims["kind"], claims["exp"] - claims["iat"]) == ("ada", "person", 3600)
    assert outcome.err == ""


def test_everything_that_a_token_may_say(hubbub: Command) -> None:
    outcome = hubbub(
        *("token", "bot", "--ttl", "1d", "--kind", "agent", "--info", '{"name": "Bot"}', "--id", "t1"),
        *(
            "--channel",
            "orders:*=subscribe,history",
            "--channel",
            "a=b=publish",
            "--channel",
            "orders:*=presence",
        ),
        *("--subscribe", "news", "--subscribe", "user:bot"),
    )
    claims = claims_of(outcome.out)
    assert claims["channels"] == {"orders:*": ["subscribe", "history", "presence"], "a=b": ["publish"]}
    assert claims["subscribe"] == ["news", "user:bot"]
    assert (claims["kind"], claims["info"], claims["jti"]) == ("agent", {"name": "Bot"}, "t1")
    assert claims["exp"] - claims["iat"] == 86400


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ((), "say one of"),
        (("ada", "--new-secret"), "say one of"),
        (("ada", "--ttl", "soon"), "--ttl: 'soon' is not a duration"),
        (("ada", "--ttl", "0"), "--ttl 0: tokens live up to 30 d"),
        (("ada", "--ttl", "31d"), "--ttl 31d: tokens live up to 30 d"),
        (("ada", "--channel", "orders"), "--channel orders: not a pattern and operations"),
        (("ada", "--channel", "orders=fly"), "operations are a list of"),
        (("ada", "--channel", "or ders=publish"), "channels has a pattern"),
        (("ada", "--info", "{"), "--info is not JSON"),
        (("ada", "--info", "[]"), "--info is not a JSON object"),
        (("ada", "--kind", "cat"), "kind is not one of"),
        (("ada\n",), "sub is not a string"),
        (("ada", "--secret", "short"), "auth.hmac_secret: the secret is shorter than 32 bytes"),
        (("ada", "--config", "nowhere.toml"), "cannot read nowhere.toml"),
    ],
)
def test_mistakes_are_explained(arguments: tuple[str, ...], what: str, hubbub: Command) -> None:
    outcome = hubbub("token", *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    first, second = outcome.err.splitlines()
    assert what in first
    assert second.startswith(" next: ")


def test_secrets_by_option_and_input(hubbub: Command) -> None:
    other = "another secret, thirty-two bytes"
    claims_of(hubbub("token", "ada", "--secret", other).out, other)
    claims_of(hubbub("token", "ada", "--secret", "-", stdin=f"{other}\n").out, other)


def test_the_development_servers_secret(hubbub: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HUBBUB_AUTH__HMAC_SECRET")
    outcome = hubbub("token", "ada")
    assert outcome.status == 2
    assert "HUBBUB_AUTH__HMAC_SECRET" in outcome.err
    keys = development_keys()[0]
    claims_of(hubbub("token", "ada").out, keys.secret)


def test_audience_and_issuer_are_the_servers(hubbub: Command, directory: Path) -> None:
    Path("other.toml").write_text('[auth]\naudience = "chat"\nissuer = "us"\n')
    token = hubbub("token", "ada", "--config", "other.toml").out.strip()
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="chat", issuer="us")
    assert claims["sub"] == "ada"


def test_new_secrets_differ_and_are_accepted(hubbub: Command) -> None:
    first, second = (hubbub("token", "--new-secret").out.strip() for _ in range(2))
    assert first != second
    assert hubbub("token", "ada", "--secret", first).status == 0


def test_an_api_key_comes_with_its_hash(hubbub: Command) -> None:
    outcome = hubbub("token", "--api-key")
    key, digest = outcome.out.split()
    assert hash_key(key) == digest
    assert digest in outcome.err
    assert key not in outcome.err


# --- check ------------------------------------------------------------------------------------------------


def shown(text: str) -> dict[str, str]:
    return {line[2:14].strip(): line[14:] for line in text.splitlines()}


def test_a_good_token_is_explained(hubbub: Command) -> None:
    token = hubbub(
        *("token", "ada", "--channel", "o:*=subscribe", "--subscribe", "news", "--id", "t1", "--ttl", "2h")
    ).out
    outcome = hubbub("token", "--check", token)
    rows = shown(outcome.out)
    assert outcome.status == 0
    assert rows["token"] == "valid"
    assert rows["for"] == "ada (person), connection token"
    assert rows["channels"] == "o:*  subscribe"
    assert (rows["enters"], rows["id"], rows["signature"]) == ("news", "t1", "HS256")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, in (2 h|1 h 59 min)", rows["expires"])
    assert hubbub("token", "--check", "-", stdin=token).out.splitlines()[0] == outcome.out.splitlines()[0]


def test_a_subscription_token_is_explained(hubbub: Command) -> None:
    token = mint_subscription(SECRET, "ada", "orders:eu", now=time.time(), ttl=3600, operations=["history"])
    rows = shown(hubbub("token", "--check", token).out)
    assert (rows["token"], rows["channel"], rows["operations"]) == ("valid", "orders:eu", "history")
    assert rows["for"] == "ada (person), subscription token"


@pytest.mark.parametrize(
    ("token", "fault"),
    [
        (mint(SECRET, "ada", now=1_600_000_000, ttl=3600), "token expired: exp has passed"),
        (mint("x" * 32, "ada", now=time.time(), ttl=3600), "invalid token: its signature does not match"),
        (jwt.encode({"sub": "ada"}, SECRET), "invalid token: exp is missing"),
        (
            jwt.encode({"sub": "ada", "exp": 1, "iat": 1e300}, SECRET),
            "invalid token: iat is not a number of seconds",
        ),
        (mint(SECRET, "ada", now=time.time(), ttl=3600, audience="x"), "auth.audience is not set"),
        ("nonsense", "invalid token: it is not three base64url parts"),
        ("a.b.c", "invalid token: its header is not base64url"),
        ("", "invalid token: it is not three base64url parts"),
    ],
    ids=lambda each: None if " " in each else "-",  # tokens differ from run to run
)
def test_a_bad_token_says_which_check_failed(token: str, fault: str, hubbub: Command) -> None:
    outcome = hubbub("token", "--check", token)
    assert outcome.status == 1
    assert fault in shown(outcome.out)["token"]


def test_claims_cannot_steer_the_terminal(hubbub: Command) -> None:
    token = jwt.encode({"sub": "\x1b[2Jada\n  token       valid", "info": "\x9b31m"}, SECRET)
    outcome = hubbub("token", "--check", token)
    assert not set(outcome.out) & {"\x1b", "\x9b"}
    assert [line[:14].strip() for line in outcome.out.splitlines()].count("token") == 1


def test_without_keys_a_token_is_read_but_not_believed(
    hubbub: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HUBBUB_AUTH__HMAC_SECRET")
    outcome = hubbub("token", "--check", mint(SECRET, "ada", now=time.time(), ttl=3600))
    assert outcome.status == 1
    assert shown(outcome.out)["token"].startswith("not verified")
    assert "ada" in outcome.out


def test_info_is_json(hubbub: Command) -> None:
    token = hubbub("token", "ada", "--info", '{"a": [1]}').out
    assert json.loads(shown(hubbub("token", "--check", token).out)["info"]) == {"a": [1]}
