"""Every row of reliability.md 5.4, for every type of key."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.auth.signers import NOW, SECRET, TYPES, Signer, segment, signer
from tests.auth.verifying import HS, RULES, accept, invalid, refusal

from hubbub.auth.tokens import (
    Key,
    KeySet,
    TokenRules,
    UnknownKeyError,
    mint,
    mint_subscription,
    verify,
    verify_subscription,
)
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import OPERATIONS, Permission, Principal

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
