"""Keys from secrets, PEM files and key sets; reloading and rotation against a real HTTP server."""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa, x25519
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.auth.accepting import accepts, key_set, pem, write
from tests.auth.signers import ALL, NOW, SECRET, jwk, signer

from hubbub.auth.keys import Keys, load_keys, parse_jwks, pem_key, secret_key
from hubbub.auth.tokens import ALGORITHMS, FAMILIES
from hubbub.config import AuthConfig
from hubbub.errors import ConfigError
from hubbub.testing.clock import FakeClock

pytestmark = pytest.mark.anyio


# --- single keys ----------------------------------------------------------------------------------------------


def test_a_secret_is_for_hmac_only() -> None:
    assert secret_key(SECRET, ALL).algorithms == {"HS256", "HS384", "HS512"}
    assert secret_key(SECRET, ["HS512", "RS256"]).algorithms == {"HS512"}
    with pytest.raises(ValueError, match="no algorithm"):
        secret_key(SECRET, ["RS256"])
    assert secret_key("x" * 32, ALL).material == b"x" * 32
    with pytest.raises(ValueError, match="shorter than 32"):
        secret_key("x" * 31, ALL)


def test_a_public_key_is_no_secret() -> None:
    with pytest.raises(ValueError, match="asymmetric"):
        secret_key(signer("RS256").public.decode(), ALL)


@pytest.mark.parametrize(
    ("algorithm", "takes"),
    [
        ("RS256", {"RS256", "RS384", "RS512"}),
        ("ES256", {"ES256"}),
        ("ES384", {"ES384"}),
        ("ES512", {"ES512"}),
        ("EdDSA", {"EdDSA"}),
    ],
)
def test_a_pem_key_takes_the_algorithms_of_its_type(algorithm: str, takes: set[str]) -> None:
    of = signer(algorithm)
    for data in (of.public, of.private):
        key = pem_key("k", data, ALL)
        assert key.algorithms == takes
        signature = ALGORITHMS[algorithm].sign(b"x", ALGORITHMS[algorithm].prepare_key(of.private))
        assert ALGORITHMS[algorithm].verify(b"x", key.material, signature)
    with pytest.raises(ValueError, match="no algorithm"):
        pem_key("k", of.public, ["HS256"])


def test_ed448_is_eddsa_too() -> None:
    assert pem_key("k", pem(ed448.Ed448PrivateKey.generate()), ALL).algorithms == {"EdDSA"}


def test_a_certificate_is_as_good_as_its_key() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "id.example")])
    day = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(day)
        .not_valid_after(day + datetime.timedelta(days=1))
        .sign(private, hashes.SHA256())
    )
    key = pem_key("k", certificate.public_bytes(serialization.Encoding.PEM), ALL)
    assert key.material.public_numbers() == private.public_key().public_numbers()


def test_keys_that_are_weak_or_of_no_use() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    for data in (
        pem(weak),
        pem(dsa.generate_private_key(1024)),
        pem(x25519.X25519PrivateKey.generate()),
        pem(ec.generate_private_key(ec.SECP256K1())),
        b"",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        SECRET.encode(),
        b"\xff" * 100,
    ):
        with pytest.raises(ValueError):
            pem_key("k", data, ALL)


# --- key sets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES384", "ES512", "EdDSA"])
def test_a_key_set_holds_keys_of_every_type(algorithm: str) -> None:
    (key,) = parse_jwks(key_set(jwk(signer(algorithm, "k"))), ALL, symmetric=False)
    assert key.id == "k"
    assert key.algorithms == signer(algorithm).key.algorithms or algorithm == "RS256"
    of = signer(algorithm, "k")
    signature = ALGORITHMS[algorithm].sign(b"x", ALGORITHMS[algorithm].prepare_key(of.private))
    assert ALGORITHMS[algorithm].verify(b"x", key.material, signature)


def test_alg_narrows_a_key_to_one_algorithm() -> None:
    entry = jwk(signer("RS256", "k"))
    for alg, takes in ((None, set(FAMILIES["RS"])), ("RS384", {"RS384"}), ("PS256", {"PS256"})):
        (key,) = parse_jwks(key_set(entry | ({"alg": alg} if alg else {})), ALL, symmetric=False)
        assert key.algorithms == takes
    others: list[object] = ["ES256", "HS256", "EdDSA", "RSA-OAEP", "none", ["RS256"], 1]
    for other in others:
        with pytest.raises(ValueError, match="no usable key"):
            parse_jwks(key_set(entry | {"alg": other}), ALL, symmetric=False)
    with pytest.raises(ValueError, match="no usable key"):
        parse_jwks(key_set(entry | {"alg": "PS256"}), ["RS256"], symmetric=False)
    with pytest.raises(ValueError, match="no usable key"):
        parse_jwks(key_set(jwk(signer("ES384", "k"), alg="ES256")), ALL, symmetric=False)


def test_secrets_count_only_in_files() -> None:
    entry = {"kty": "oct", "kid": "s", "k": "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4"}
    with pytest.raises(ValueError, match="no usable key"):
        parse_jwks(key_set(entry), ALL, symmetric=False)
    (key,) = parse_jwks(key_set(entry), ALL, symmetric=True)
    assert key.material == b"x" * 33
    assert key.algorithms == set(FAMILIES["HS"])
    (key,) = parse_jwks(key_set(entry | {"alg": "HS384"}), ALL, symmetric=True)
    assert key.algorithms == {"HS384"}
    for broken in ({"k": "eHg"}, {"alg": "RS256"}, {"k": 1}, {"k": None}):
        with pytest.raises(ValueError, match="no usable key"):
            parse_jwks(key_set(entry | broken), ALL, symmetric=True)


def test_what_is_not_for_signatures_is_passed_over() -> None:
    good = jwk(signer("ES256", "good"))
    others: list[object] = [
        jwk(signer("ES256", "bad"), use="enc"),
        jwk(signer("ES256", "bad"), key_ops=["encrypt"]),
        jwk(signer("ES256", "bad"), key_ops=1),
        jwk(signer("ES256", "bad"), kid="../bad"),
        jwk(signer("ES256", "bad"), kid=1),
        jwk(signer("ES256", "bad"), kty="AKP"),
        jwk(signer("ES256", "bad"), crv="P-999"),
        jwk(signer("ES256", "bad"), x="AAAA"),
        jwk(signer("RS256", "bad"), n="AQAB"),
        jwk(signer("RS256", "bad"), n=1),
        jwk(signer("EdDSA", "bad"), x="!!"),
        {},
        None,
        1,
        [],
        "key",
    ]
    keys = parse_jwks(key_set(*others, good | {"key_ops": ["verify"]}), ALL, symmetric=False)
    assert [key.id for key in keys] == ["good"]


def test_private_members_are_ignored() -> None:
    of = signer("RS256", "k")
    entry: dict[str, Any] = ALGORITHMS["RS256"].to_jwk(
        ALGORITHMS["RS256"].prepare_key(of.private), as_dict=True
    )
    assert "d" in entry
    entry.pop("key_ops")
    (key,) = parse_jwks(key_set(entry | {"kid": "k"}), ALL, symmetric=False)
    assert isinstance(key.material, rsa.RSAPublicKey)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[]}', b"[" * 100_000]
)
def test_what_is_no_key_set(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_jwks(data, ALL, symmetric=True)


def test_two_keys_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="same id"):
        parse_jwks(key_set(jwk(signer("ES256", "k")), jwk(signer("RS256", "k"))), ALL, symmetric=False)


junk = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=6)
    | st.lists(st.text(max_size=3), max_size=2)
)
MEMBERS = ["kty", "kid", "use", "key_ops", "alg", "crv", "x", "y", "n", "e", "k", "d", "p", "oth"]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["RS256", "ES256", "EdDSA"]),
    st.dictionaries(st.sampled_from(MEMBERS), junk, max_size=3),
    st.sets(st.sampled_from(MEMBERS), max_size=2),
)
def test_damaged_keys_raise_value_error_only(
    algorithm: str, spoiled: dict[str, Any], missing: set[str]
) -> None:
    entry = {
        name: value for name, value in (jwk(signer(algorithm, "k")) | spoiled).items() if name not in missing
    }
    try:
        keys = parse_jwks(key_set(entry), ALL, symmetric=True)
    except ValueError:
        return
    assert len(keys) == 1


# --- configuration --------------------------------------------------------------------------------------------


def test_all_sources_together(tmp_path: Path) -> None:
    one = write(tmp_path / "one.pem", signer("RS256").public)
    two = write(tmp_path / "jwks.json", key_set(jwk(signer("ES256", "two")), jwk(signer("EdDSA", "three"))))
    auth = AuthConfig.model_validate({"hmac_secret": SECRET, "public_keys": {"one": one}, "jwks_file": two})
    keys = Keys(auth, FakeClock(NOW))
    assert [key.id for key in keys.current.keys] == [None, "one", "two", "three"]
    assert accepts(keys, signer("ES256", "two"))
    assert not accepts(keys, signer("ES256", "two", 1))


def test_faults_name_the_setting(tmp_path: Path) -> None:
    good = write(tmp_path / "good.pem", signer("RS256").public)
    bad = write(tmp_path / "bad.pem", b"nothing")
    sets = write(tmp_path / "jwks.json", key_set(jwk(signer("ES256", "one"))))
    for settings_, message in (
        ({"hmac_secret": "short"}, "auth.hmac_secret: the secret is shorter"),
        ({"public_keys": {"one": tmp_path / "gone.pem"}}, "auth.public_keys.one: cannot read"),
        ({"public_keys": {"one": good, "two": bad}}, "auth.public_keys.two: not a public key"),
        ({"public_keys": {"a/b": good}}, "auth.public_keys.a/b: a key id"),
        ({"jwks_file": bad}, "auth.jwks_file: not JSON"),
        ({"jwks_file": sets, "public_keys": {"one": good}}, "auth.jwks_file: two keys have the same id"),
        ({"algorithms": ("HS256", "none")}, "auth.algorithms: 'none' is not"),
        ({"hmac_secret": SECRET, "algorithms": ("RS256",)}, "auth.hmac_secret: auth.algorithms has no"),
        ({"jwks_url": "http://id.example/keys"}, "auth.jwks_url must be https"),
        ({"jwks_url": "http://127.0.0.1.evil.example/keys"}, "auth.jwks_url must be https"),
        ({"jwks_url": "http://localhost@evil.example/keys"}, "auth.jwks_url must be https"),
        ({"jwks_url": "file:///etc/passwd"}, "auth.jwks_url must be https"),
        ({"jwks_url": "https://"}, "auth.jwks_url must be https"),
    ):
        with pytest.raises(ConfigError) as caught:
            Keys(AuthConfig.model_validate(settings_), FakeClock(NOW))
        assert str(caught.value).startswith(message)
        assert "short" not in str(caught.value) or "shorter" in str(caught.value)


def test_no_sources_are_no_keys() -> None:
    assert load_keys(AuthConfig()) == ()


async def test_a_pem_file_is_reloaded(tmp_path: Path) -> None:
    path = write(tmp_path / "k.pem", signer("ES256", "k").public)
    keys = await asyncio.to_thread(Keys, AuthConfig(public_keys={"k": path}), FakeClock(NOW))
    before = keys.current
    assert accepts(keys, signer("ES256", "k"))
    write(path, signer("ES256", "k", 1).public)
    assert keys.current is before
    assert await keys.reload()
    assert keys.current is not before
    assert accepts(keys, signer("ES256", "k", 1))
    assert not accepts(keys, signer("ES256", "k"))


async def test_a_broken_file_keeps_all_old_keys_and_is_reported(tmp_path: Path) -> None:
    one = write(tmp_path / "1.pem", signer("ES256", "one").public)
    two = write(tmp_path / "2.pem", signer("ES256", "two").public)
    reports: list[str] = []
    auth = AuthConfig(public_keys={"one": one, "two": two})
    keys = await asyncio.to_thread(Keys, auth, FakeClock(NOW), reports.append)
    before = keys.current
    write(one, signer("ES256", "one", 1).public)
    write(two, b"half a fi")
    assert not await keys.reload()
    assert keys.current is before
    assert reports == [
        "keys were not reloaded, the old ones stay: auth.public_keys.two: not a public key in PEM."
    ]
    two.unlink()
    assert not await keys.reload()
    assert "cannot read" in reports[1]
    write(two, signer("ES256", "two").public)
    assert await keys.reload()
    assert accepts(keys, signer("ES256", "one", 1))
