"""What the claims of a token must be, for every type of key."""

from __future__ import annotations

import json

import pytest
from tests.auth.signers import NOW, Signer, signer
from tests.auth.verifying import HS, RULES, accept, invalid, refusal

from hubbub.auth.tokens import (
    KeySet,
    SubscriptionGrant,
    TokenRules,
    verify_subscription,
)
from hubbub.errors import ErrorCode
from hubbub.model import OPERATIONS

# --- times ----------------------------------------------------------------------------------------------------

NO_TIMES: list[object] = [
    "9999999999",
    "",
    None,
    True,
    False,
    [],
    {},
    [1700000600],
    1e308,
    -1e308,
    2.0**60,
    10**400,
    -(10**400),
]


@pytest.mark.parametrize("value", NO_TIMES, ids=lambda v: repr(v)[:12])
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_times_that_are_none(each: Signer, name: str, value: object) -> None:
    invalid(each.token(**{name: value}), each.key, why=f"{name} is not a number of seconds")


@pytest.mark.parametrize("name", ["exp", "iat"])
def test_times_that_are_missing(each: Signer, name: str) -> None:
    invalid(each.token(**{name: ...}), each.key, why=f"{name} is missing")


def test_expiry_is_exact(each: Signer) -> None:
    """Expired exactly when now >= exp + leeway."""
    token = each.token()
    end = NOW + 600 + RULES.leeway
    accept(token, each.key, now=end - 0.001)
    for now in (end, end + 0.001, end + 1e9):
        assert refusal(token, KeySet((each.key,)), now=now).code is ErrorCode.TOKEN_EXPIRED
    strict = TokenRules(leeway=0)
    accept(token, each.key, rules=strict, now=NOW + 599.999)
    assert refusal(token, KeySet((each.key,)), strict, NOW + 600).code is ErrorCode.TOKEN_EXPIRED


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_skew_is_forgiven_exactly(name: str) -> None:
    token = HS.token(**{name: NOW + 30})
    accept(token, now=NOW)
    accept(token, now=NOW + 0.001)
    invalid(token, now=NOW - 0.001, why=f"{name} is in the future")
    invalid(token, now=NOW, rules=TokenRules(leeway=0), why=f"{name} is in the future")
    accept(token, now=NOW + 30, rules=TokenRules(leeway=0))


def test_lifetime_is_capped() -> None:
    rules = TokenRules(max_lifetime=3600)
    accept(HS.token(exp=NOW + 3600), rules=rules)
    invalid(HS.token(exp=NOW + 3600.001), rules=rules, why="exp is more than 3600 s after iat")
    invalid(HS.token(iat=0), why="exp is more than")
    invalid(HS.token(iat=-(2**53), exp=2**53), why="exp is more than")


@pytest.mark.parametrize("exp", [NOW, NOW - 1, 0, -1])
def test_a_token_lives_at_all(exp: float) -> None:
    invalid(HS.token(exp=exp), why="exp is not after iat")


# --- audience and issuer --------------------------------------------------------------------------------------


@pytest.mark.parametrize("aud", ["hubbub", ["hubbub"], ["other", "hubbub"]])
def test_the_right_audience(aud: object) -> None:
    accept(HS.token(aud=aud), rules=TokenRules(audience="hubbub"))


@pytest.mark.parametrize(
    "aud", [..., "other", "hub", "hubbubs", "", None, [], ["other"], [["hubbub"]], {"hubbub": 1}, 1, True]
)
def test_the_wrong_audience(each: Signer, aud: object) -> None:
    invalid(
        each.token(aud=aud), each.key, rules=TokenRules(audience="hubbub"), why="aud is not this server's"
    )


def test_a_token_for_some_audience_is_not_for_a_server_without_one() -> None:
    invalid(HS.token(aud="billing"), why="auth.audience is not set")


def test_the_issuer() -> None:
    rules = TokenRules(issuer="https://id.example")
    accept(HS.token(iss="https://id.example"), rules=rules)
    accept(HS.token(iss="anyone"))
    for iss in (..., "https://id.example/", "", None, ["https://id.example"]):
        invalid(HS.token(iss=iss), rules=rules, why="iss is not")


# --- other claims ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["", 7, 0, True, None, ["ada"], {"a": 1}, "a" * 256, "a\n", "a\0", "a\x9f", "a\ud800"]
)
@pytest.mark.parametrize("name", ["sub", "jti"])
def test_ids_that_are_none(each: Signer, name: str, value: object) -> None:
    invalid(each.token(**{name: value}), each.key, why=f"{name} is not a string of 1 to 255")


def test_sub_is_required(each: Signer) -> None:
    invalid(each.token(sub=...), each.key, why="sub is not")


def test_users_are_what_the_issuer_says() -> None:
    for user in ("ЮЛИЯ", "a b", "ada@example.com", "x" * 255, "ﬁsh"):
        assert accept(HS.token(sub=user)).user == user


@pytest.mark.parametrize("kind", ["", "admin", "Person", None, 1, ["person"], {}])
def test_kinds_that_are_none(kind: object) -> None:
    invalid(HS.token(kind=kind), why="kind is not one of")


@pytest.mark.parametrize("info", [None, "x", 1, True, ["a"]])
def test_info_is_an_object(info: object) -> None:
    invalid(HS.token(info=info), why="info is not an object")


def test_info_is_capped_by_its_own_bytes() -> None:
    fits = {"x": "y" * (4096 - len('{"x":""}'))}
    assert accept(HS.token(info=fits)).info == json.dumps(fits, separators=(",", ":")).encode()
    invalid(HS.token(info={"x": fits["x"] + "y"}), why="info is longer than 4096 bytes")


def test_info_is_compact_utf8() -> None:
    assert (
        accept(HS.token(info={"name": "Zoë", "n": [1, 2.5, None]})).info
        == '{"name":"Zoë","n":[1,2.5,null]}'.encode()
    )


def test_info_with_half_a_character_is_refused() -> None:
    invalid(HS.token(info={"x": "\ud800"}), why="info holds text")


@pytest.mark.parametrize("depth", [33, 500, 950])
def test_info_nested_deeply_is_refused(depth: int) -> None:
    payload = json.dumps(HS.claims())[:-1] + ',"info":' + '{"a":' * depth + "1" + "}" * depth + "}"
    invalid(
        HS.sign({"alg": "HS256"}, payload.encode()), why="nested deeper" if depth < 950 else "invalid token"
    )


def test_info_may_be_nested_to_the_limit() -> None:
    for opening, closing in ('{"a":', "}"), ("[", "]"):
        text = '{"a":' + opening * 31 + "1" + closing * 31 + "}"
        payload = json.dumps(HS.claims())[:-1] + ',"info":' + text + "}"
        assert accept(HS.sign({"alg": "HS256"}, payload.encode())).info == text.encode()


@pytest.mark.parametrize(
    "channels",
    [
        None,
        "orders",
        ["orders"],
        {"orders": "subscribe"},
        {"orders": "*"},
        {"orders": []},
        {"orders": ["delete"]},
        {"orders": ["subscribe", 1]},
        {"orders": ["Subscribe"]},
        {"orders": {"subscribe": True}},
        {"orders": None},
        {"orders": [["*"]]},
        {"": ["*"]},
        {"or ders": ["*"]},
        {"[a-z]": ["*"]},
        {"room:?": ["*"]},
        {"o" * 256: ["*"]},
        {"orders\n": ["*"]},
    ],
)
def test_channels_that_are_none(channels: object) -> None:
    error = refusal(HS.token(channels=channels), KeySet((HS.key,)))
    assert error.code is ErrorCode.INVALID_TOKEN
    assert "channels" in error.message or "operations" in error.message


@pytest.mark.parametrize(
    "subscribe",
    [None, "news", {"news": 1}, [1], [""], ["*"], ["a b"], ["session:x"], ["n" * 256], [["news"]], [None]],
)
def test_subscribe_that_is_none(subscribe: object) -> None:
    error = refusal(HS.token(subscribe=subscribe), KeySet((HS.key,)))
    assert error.code is ErrorCode.INVALID_TOKEN
    assert "subscribe" in error.message


# --- subscription tokens --------------------------------------------------------------------------------------


def test_a_subscription_token_of_each_key_type(each: Signer) -> None:
    token = each.token(channel="orders:7", jti="t2")
    assert verify_subscription(token, KeySet((each.key,)), RULES, NOW) == SubscriptionGrant(
        "ada", "orders:7", ("subscribe", "history", "presence"), NOW + 600, NOW, "t2"
    )
    all_of_them = each.token(channel="orders:7", operations=["*"])
    assert verify_subscription(all_of_them, KeySet((each.key,)), RULES, NOW).operations == OPERATIONS


def test_neither_kind_of_token_is_the_other() -> None:
    for channel in ("news", "", None):
        invalid(HS.token(channel=channel), why="it is a subscription token")
    error = refusal(HS.token(), KeySet((HS.key,)), check=verify_subscription)
    assert "not a subscription token" in error.message


@pytest.mark.parametrize(
    "channel", ["", "*", "orders:*", "a b", "session:x", None, 1, ["news"], "n" * 256, ":a", "a/../b"]
)
def test_channels_that_no_subscription_token_opens(channel: object) -> None:
    error = refusal(HS.token(channel=channel), KeySet((HS.key,)), check=verify_subscription)
    assert "channel is not a channel" in error.message


@pytest.mark.parametrize("operations", [None, [], "subscribe", ["all"], [1], {"subscribe": 1}])
def test_operations_that_are_none(operations: object) -> None:
    error = refusal(
        HS.token(channel="news", operations=operations), KeySet((HS.key,)), check=verify_subscription
    )
    assert "operations are a list" in error.message


def test_subscription_tokens_are_checked_as_all_are(each: Signer) -> None:
    check, keys = verify_subscription, KeySet((each.key,))
    assert refusal(each.token(channel="a"), keys, now=NOW + 630, check=check).code is ErrorCode.TOKEN_EXPIRED
    assert "exp is missing" in refusal(each.token(channel="a", exp=...), keys, check=check).message
    assert (
        "aud is not" in refusal(each.token(channel="a"), keys, TokenRules(audience="h"), check=check).message
    )
    forged = signer(each.algorithm, None, 1).token(channel="a")
    assert "signature" in refusal(forged, keys, check=check).message
