"""Every row of reliability.md 5.4, for every type of key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import traceback
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.auth.signers import FAMILIES, NOW, SECRET, TYPES, Signer, segment, signer

from hubbub.auth.tokens import (
    Key,
    KeySet,
    SubscriptionGrant,
    TokenRules,
    UnknownKeyError,
    mint,
    mint_subscription,
    verify,
    verify_subscription,
)
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import OPERATIONS, Permission, Principal

RULES = TokenRules()
HS = signer("HS256")


def refusal(
    token: str, keys: KeySet, rules: TokenRules = RULES, now: float = NOW, check: Callable[..., Any] = verify
) -> HubbubError:
    """The error that the token meets, which never repeats any of it."""
    with pytest.raises(HubbubError) as caught:
        check(token, keys, rules, now)
    said = (
        "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(caught.value.__dict__)
    )
    for part in token.split("."):
        assert len(part) < 8 or part not in said
    assert caught.value.code in (ErrorCode.INVALID_TOKEN, ErrorCode.TOKEN_EXPIRED)
    return caught.value


def invalid(token: str, *keys: Key, why: str, rules: TokenRules = RULES, now: float = NOW) -> None:
    error = refusal(token, KeySet(keys or (HS.key,)), rules, now)
    assert error.code is ErrorCode.INVALID_TOKEN
    assert why in error.message


def accept(token: str, *keys: Key, rules: TokenRules = RULES, now: float = NOW) -> Principal:
    return verify(token, KeySet(keys or (HS.key,)), rules, now)


@pytest.fixture(params=FAMILIES, ids=str)
def each(request: pytest.FixtureRequest) -> Signer:
    """A signer of each family."""
    return signer(request.param)


@pytest.fixture(params=TYPES, ids=str)
def every(request: pytest.FixtureRequest) -> Signer:
    """A signer of every algorithm."""
    return signer(request.param)


# --- what is good ---------------------------------------------------------------------------------------------


def test_a_good_token_of_each_key_type_gives_its_principal(every: Signer) -> None:
    token = every.token(
        kind="agent",
        info={"name": "Ada"},
        channels={"orders:*": ["*"], "news": ["subscribe", "history"]},
        subscribe=["user:ada", "news", "news"],
        jti="t1",
    )
    assert accept(token, every.key) == Principal(
        user="ada",
        kind="agent",
        expires=NOW + 600,
        permissions=(Permission("orders:*", OPERATIONS), Permission("news", ("subscribe", "history"))),
        subscribe=("user:ada", "news"),
        info=b'{"name":"Ada"}',
        token_id="t1",
        issued=NOW,
    )


def test_a_token_needs_no_more_than_sub_iat_and_exp() -> None:
    assert accept(HS.token()) == Principal(user="ada", expires=NOW + 600, issued=NOW)


def test_unknown_claims_and_fractions_of_seconds_are_fine() -> None:
    assert accept(HS.token(exp=NOW + 0.5, scope="openid", roles=[1])).expires == NOW + 0.5


def test_keys_in_the_header_are_never_looked_at(each: Signer) -> None:
    foreign = signer("ES256", None, 7)
    header = {
        "alg": each.algorithm,
        "jwk": {"kty": "oct", "k": segment(foreign.public)},
        "jku": "https://evil.example/keys",
        "x5u": "https://evil.example/cert",
        "x5c": [segment(foreign.public)],
    }
    accept(each.sign(header, each.claims()), each.key)
    forged = signer(each.algorithm, None, 1)
    invalid(forged.sign(header, forged.claims()), each.key, why="signature does not match")


# --- signatures -----------------------------------------------------------------------------------------------


def test_another_key_of_the_same_type_does_not_do(every: Signer) -> None:
    invalid(signer(every.algorithm, None, 1).token(), every.key, why="signature does not match")


def test_every_changed_part_is_noticed(every: Signer) -> None:
    header, payload, signature = every.token().split(".")
    other = every.token(sub="eve").split(".")[1]
    invalid(f"{header}.{other}.{signature}", every.key, why="signature does not match")
    again = segment({"alg": every.algorithm, "typ": "jwt"})
    invalid(f"{again}.{payload}.{signature}", every.key, why="signature does not match")
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    invalid(f"{header}.{payload}.{flipped}", every.key, why="signature does not match")
    short = segment(base64.urlsafe_b64decode(signature + "==")[:-3])
    invalid(f"{header}.{payload}.{short}", every.key, why="signature does not match")


@pytest.mark.parametrize("name", ["none", "nOnE", "None", "NONE", "", "HS1", "hs256", None, 1, ["HS256"], {}])
def test_algorithms_that_are_none(each: Signer, name: object) -> None:
    for token in (
        f"{segment({'alg': name})}.{segment(each.claims())}.{segment(b'x')}",
        each.sign({"alg": name}, each.claims()),
    ):
        invalid(token, each.key, why="algorithm (alg) is not accepted")
    invalid(each.sign({}, each.claims()), each.key, why="algorithm (alg) is not accepted")


def test_no_signature(every: Signer) -> None:
    for name in ("none", every.algorithm):
        unsigned = f"{segment({'alg': name})}.{segment(every.claims())}."
        invalid(unsigned, every.key, why="three base64url parts")


@pytest.mark.parametrize("name", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("strip", [False, True])
def test_a_public_key_is_not_an_hmac_secret(name: str, strip: bool) -> None:
    """CVE-2022-29217."""
    public = signer(name, "k1").public
    secret = public.strip() if strip else public
    header, payload = segment({"alg": "HS256"}), segment(HS.claims())
    mac = hmac.new(secret, f"{header}.{payload}".encode(), hashlib.sha256).digest()
    token = f"{header}.{payload}.{segment(mac)}"
    invalid(token, signer(name, "k1").key, why="algorithm (alg) is not accepted")
    invalid(token, signer(name, "k1").key, HS.key, why="signature does not match")
    named = segment({"alg": "HS256", "kid": "k1"})
    mac = hmac.new(secret, f"{named}.{payload}".encode(), hashlib.sha256).digest()
    invalid(f"{named}.{payload}.{segment(mac)}", signer(name, "k1").key, HS.key, why="not one of its key's")


@pytest.mark.parametrize("other", [name for name in TYPES if name != "ES256"])
def test_a_key_takes_only_its_own_algorithms(other: str) -> None:
    key = signer("ES256", "k").key
    token = signer(other).sign({"alg": other, "kid": "k"}, Signer.claims())
    invalid(token, key, why="not one of its key's")


@pytest.mark.parametrize(
    "extra",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": None},
        {"b64": False},
        {"b64": True},
        {"b64": False, "crit": ["b64"]},
    ],
)
def test_critical_and_unencoded_headers_are_refused(each: Signer, extra: dict[str, Any]) -> None:
    """CVE-2026-32597; RFC 7797."""
    token = each.sign({"alg": each.algorithm} | extra, each.claims())
    invalid(token, each.key, why="crit or b64")


# --- key ids --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kid",
    [
        "../../../dev/null",
        "' UNION SELECT 'k",
        "",
        "a" * 65,
        "k\n",
        "k\0",
        "ключ",
        "k k",
        None,
        1,
        True,
        ["k"],
        {"k": 1},
    ],
)
def test_key_ids_that_are_not(each: Signer, kid: object) -> None:
    token = each.sign({"alg": each.algorithm, "kid": kid}, each.claims())
    invalid(token, each.key, why="key id (kid) is not")


def test_a_key_id_finds_its_key_and_no_other(each: Signer) -> None:
    one, two = signer(each.algorithm, "one"), signer(each.algorithm, "two", 1)
    named = one.sign({"alg": one.algorithm, "kid": "one"}, one.claims())
    accept(named, one.key, two.key)
    wrong = one.sign({"alg": one.algorithm, "kid": "two"}, one.claims())
    invalid(wrong, one.key, two.key, why="signature does not match")
    unnamed = one.token()
    invalid(unnamed, one.key, two.key, why="several keys fit")
    accept(unnamed, one.key)


def test_an_unknown_key_id_says_so_in_its_type(each: Signer) -> None:
    token = each.sign({"alg": each.algorithm, "kid": "newer"}, each.claims())
    assert isinstance(refusal(token, KeySet((each.key,))), UnknownKeyError)


def test_the_key_set_refuses_what_is_ambiguous() -> None:
    with pytest.raises(ValueError, match="same id"):
        KeySet((signer("HS256", "k").key, signer("ES256", "k").key))
    for algorithms in (frozenset[str](), frozenset(["HS256", "RS256"]), frozenset(["none"])):
        with pytest.raises(ValueError, match="one family"):
            Key("k", algorithms, b"")
    with pytest.raises(ValueError, match="key id"):
        Key("../k", frozenset(["HS256"]), b"")


def test_an_empty_key_set_accepts_nothing() -> None:
    error = refusal(HS.token(), KeySet())
    assert "algorithm (alg) is not accepted" in error.message


def test_secrets_stay_out_of_reprs() -> None:
    assert SECRET not in repr(KeySet((HS.key,)))


# --- form -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: "",
        lambda t: ".",
        lambda t: "..",
        lambda t: "a.b",
        lambda t: t + ".",
        lambda t: t + "." + t,
        lambda t: t + "\n",
        lambda t: " " + t,
        lambda t: t + "=",
        lambda t: "Bearer " + t,
        lambda t: t.replace(".", "\0"),
        lambda t: t.replace(".", ". "),
        lambda t: t + "é",
        lambda t: t[:-1] + "\ud800",
        lambda t: t[:-1] + "+",
        lambda t: f"{t}.a.b",
    ],
)
def test_strings_that_are_no_tokens(each: Signer, spoil: Callable[[str], str]) -> None:
    invalid(spoil(each.token()), each.key, why="three base64url parts")


def test_a_part_has_one_spelling() -> None:
    header, payload, signature = HS.token().split(".")
    # 32 bytes leave two unused bits in the last character: RFC 4648 (section 3.5) wants them to be zero.
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    respelled = signature[:-1] + last[last.index(signature[-1]) ^ 1]
    assert base64.urlsafe_b64decode(respelled + "=") == base64.urlsafe_b64decode(signature + "=")
    invalid(f"{header}.{payload}.{respelled}", why="signature is not base64url")
    invalid(f"{header}.{payload}.{signature}AA", why="signature is not base64url")


def test_a_long_token_is_refused_unread() -> None:
    invalid(HS.token(info={"x": "y" * 64_000}), why="longer than 8192 bytes")
    invalid("a" * 65_536, why="longer than 8192 bytes")
    token = HS.token()
    accept(token, rules=TokenRules(token_bytes=len(token)))
    invalid(token, rules=TokenRules(token_bytes=len(token) - 1), why="longer than")


@pytest.mark.parametrize(
    "payload",
    [
        b'{"sub":"ada","iat":1700000000,"exp":1700000600,"sub":"root"}',
        b'{"sub":"ada","iat":1700000000,"exp":1,"exp":1700000600}',
        b'{"sub":"ada","iat":1700000000,"exp":1700000600,"info":{"a":1,"a":2}}',
        b'{"sub":"ada","iat":1700000000,"exp":1700000600,"s\\u0075b":"root"}',
        b'{"sub":"ada","iat":1700000000,"exp":NaN}',
        b'{"sub":"ada","iat":1700000000,"exp":Infinity}',
        b'{"sub":"ada","iat":1700000000,"exp":1e400}',
        b'{"sub":"ada","iat":1700000000,"exp":1700000600,"info":{"a":-1e999}}',
        b'{"sub":"\xff","iat":1700000000,"exp":1700000600}',
        b'{"sub":"ada","iat":1700000000,"exp":1700000600',
        b'{"sub":"ada","iat":1700000000,"exp":1700000600} x',
        b'\xef\xbb\xbf{"sub":"ada","iat":1700000000,"exp":1700000600}',
        '{"sub":"ada","iat":1700000000,"exp":1700000600}'.encode("utf-16"),
        b'{"sub":"ada","iat":1700000000,"exp":' + b"9" * 5000 + b"}",
        b"[" * 5000,
        b'["sub"]',
        b"null",
        b'"ada"',
        b"1",
    ],
)
def test_payloads_that_are_not_strict_objects(each: Signer, payload: bytes) -> None:
    invalid(each.sign({"alg": each.algorithm}, payload), each.key, why="payload is not a strict JSON object")


@pytest.mark.parametrize(
    "header",
    [b'{"alg":"none","alg":"HS256"}', b"[]", b"null", b"{", b'{"alg":"\xff"}', b"[" * 4000, b'{"alg":NaN}'],
)
def test_headers_that_are_not_strict_objects(header: bytes) -> None:
    invalid(HS.sign(header, HS.claims()), why="header is not a strict JSON object")


def test_the_payload_is_read_only_once_the_signature_is_good() -> None:
    forged = f"{segment({'alg': 'HS256'})}.{segment(b'not json')}.{segment(b'x' * 32)}"
    invalid(forged, why="signature does not match")


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


# --- minting --------------------------------------------------------------------------------------------------


def test_what_is_minted_is_accepted(every: Signer) -> None:
    key = signer(every.algorithm, "k1")
    token = mint(
        key.private,
        "ada",
        now=NOW + 0.7,
        ttl=60,
        algorithm=key.algorithm,
        key_id="k1",
        kind="service",
        info={"a": 1},
        channels={"news*": ["publish"]},
        subscribe=["news"],
        token_id="t3",
        audience="hubbub",
        issuer="me",
    )
    assert accept(token, key.key, rules=TokenRules(audience="hubbub", issuer="me")) == Principal(
        "ada", "service", NOW + 60, (Permission("news*", ("publish",)),), ("news",), b'{"a":1}', "t3", NOW
    )
    assert jwt.decode_complete(token, options={"verify_signature": False})["header"]["kid"] == "k1"


def test_a_minted_subscription_token_is_accepted() -> None:
    token = mint_subscription(HS.private, "ada", "news", now=NOW, ttl=60, operations=["publish"])
    grant = verify_subscription(token, KeySet((HS.key,)), RULES, NOW)
    assert (grant.user, grant.channel, grant.operations, grant.expires) == (
        "ada",
        "news",
        ("publish",),
        NOW + 60,
    )
    plain = mint_subscription(HS.private, "ada", "news", now=NOW, ttl=60)
    assert verify_subscription(plain, KeySet((HS.key,)), RULES, NOW).operations == (
        "subscribe",
        "history",
        "presence",
    )


# --- fuzzing: only HubbubError, and nothing that was not signed ------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
claim_names = st.sampled_from(
    [
        "sub",
        "iat",
        "exp",
        "nbf",
        "aud",
        "iss",
        "jti",
        "kind",
        "info",
        "channels",
        "subscribe",
        "channel",
        "operations",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(claim_names, json_values, max_size=4), st.booleans())
def test_signed_nonsense_is_refused_in_words_or_makes_sense(
    claims: dict[str, Any], subscription: bool
) -> None:
    check: Callable[..., Any] = verify_subscription if subscription else verify
    code = None
    try:
        said = check(HS.token(**claims), KeySet((HS.key,)), RULES, NOW)
    except HubbubError as error:
        code = error.code
    else:
        assert said.user
        assert said.expires - said.issued <= RULES.max_lifetime
    assert code in (None, ErrorCode.INVALID_TOKEN, ErrorCode.TOKEN_EXPIRED)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet="abAB01-_.=eyJ", max_size=60))
def test_text_is_refused_in_words(text: str) -> None:
    refusal(text, KeySet((HS.key,)))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_mutated_token_is_never_accepted(data: st.DataObject) -> None:
    token = HS.token()
    place = data.draw(st.integers(0, len(token) - 1))
    char = data.draw(st.characters(codec="ascii").filter(lambda c: c != token[place]))
    refusal(token[:place] + char + token[place + 1 :], KeySet((HS.key,)))
