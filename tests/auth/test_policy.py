"""TokenPolicy: who comes in, who may do what, and what is remembered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import pytest
from tests.auth.keyserver import KeyServer
from tests.auth.signers import ALL, NOW, Signer, jwk, signer

from hubbub.auth.base import ConnectionInfo, Policy
from hubbub.auth.keys import Keys, parse_jwks
from hubbub.auth.policy import FixedKeys, TokenPolicy
from hubbub.auth.revocation import Revocations
from hubbub.auth.tokens import KeySet
from hubbub.config import AuthConfig, Config, NamespaceConfig, Who
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub import eager
from hubbub.model import OPERATIONS, Operation, Permission, Principal
from hubbub.testing.clock import FakeClock

INFO = ConnectionInfo()
HS = signer("HS256")
ADA, EVE = Principal("ada"), Principal("eve")


class CountedKeys:
    """A KeySource that counts how often the keys were used, and may have newer ones."""

    def __init__(self, *of: Signer) -> None:
        self.current = KeySet(tuple(each.key for each in of))
        self.newer: KeySet | None = None
        self.renewals = 0

    async def renew(self) -> bool:
        self.renewals += 1
        if self.newer is None:
            return False
        self.current, self.newer = self.newer, None
        return True


class Bench:
    """A policy with all that it depends on."""

    def __init__(
        self, *of: Signer, namespaces: dict[str, NamespaceConfig] | None = None, **auth: Any
    ) -> None:
        self.clock = FakeClock(NOW)
        self.keys = CountedKeys(*(of or (HS,)))
        self.config = Config(auth=AuthConfig(**auth), namespaces=namespaces or {})
        self.policy = TokenPolicy(self.config, self.keys, self.clock)

    def come(self, token: str | None) -> Principal:
        principal: Principal = at_once(self.policy.authenticate(token, INFO))
        return principal

    def may(self, who: Principal, operation: Operation, channel: str, token: str | None = None) -> bool:
        try:
            at_once(self.policy.authorize(who, operation, channel, token))
        except HubbubError as error:
            if error.code is not ErrorCode.PERMISSION_DENIED:
                raise
            return False
        return True


def at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What the coroutine returns, which must not wait for anything."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise AssertionError("it waited")


def test_it_is_a_policy() -> None:
    policy: Policy = Bench().policy
    assert policy


# --- authenticate ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "ES256", "EdDSA"])
def test_a_good_token_comes_in_without_waiting(algorithm: str) -> None:
    bench = Bench(signer(algorithm))
    assert bench.come(signer(algorithm).token()).user == "ada"


@pytest.mark.parametrize("token", [None, ""])
def test_no_token(token: str | None) -> None:
    with pytest.raises(HubbubError) as caught:
        Bench().come(token)
    assert caught.value.code is ErrorCode.UNAUTHENTICATED
    assert Bench(anonymous=True).come(token) == Principal(user="")


@pytest.mark.parametrize(
    "token", ["x", "a.b.c", HS.token() + "x", signer("HS256", None, 1).token(), "\ud800", "é"]
)
def test_a_bad_token_is_not_anonymous(token: str) -> None:
    for bench in (Bench(), Bench(anonymous=True)):
        with pytest.raises(HubbubError) as caught:
            bench.come(token)
        assert caught.value.code is ErrorCode.INVALID_TOKEN
        assert len(token) < 8 or token not in str(caught.value)


def test_the_rules_come_from_the_configuration() -> None:
    bench = Bench(audience="hubbub", issuer="me", leeway=5, max_lifetime=900, token_bytes=400)
    bench.come(HS.token(aud="hubbub", iss="me"))
    for claims, why in (
        ({"iss": "me"}, "aud"),
        ({"aud": "hubbub"}, "iss"),
        ({"aud": "hubbub", "iss": "me", "iat": NOW + 6}, "iat"),
        ({"aud": "hubbub", "iss": "me", "exp": NOW + 901}, "exp"),
        ({"aud": "hubbub", "iss": "me", "info": {"x": "y" * 300}}, "longer than 400"),
    ):
        with pytest.raises(HubbubError, match=why):
            bench.come(HS.token(**claims))


def test_a_verified_token_is_remembered_until_exactly_its_end() -> None:
    bench = Bench()
    token = HS.token()
    first = bench.come(token)
    bench.clock.advance(629.5)
    assert bench.come(token) is first
    bench.clock.advance(0.5)
    with pytest.raises(HubbubError) as caught:
        bench.come(token)
    assert caught.value.code is ErrorCode.TOKEN_EXPIRED
    assert len(bench.policy._principals) == 0


def test_a_refusal_is_not_remembered() -> None:
    bench = Bench()
    token = HS.token(nbf=NOW + 60)
    with pytest.raises(HubbubError):
        bench.come(token)
    bench.clock.advance(30)
    assert bench.come(token).user == "ada"


def test_the_memory_is_bounded_and_forgets_what_was_not_used() -> None:
    bench = Bench(cache_size=3)
    tokens = [HS.token(jti=f"t{number}") for number in range(4)]
    first = bench.come(tokens[0])
    second = bench.come(tokens[1])
    bench.come(tokens[2])
    assert bench.come(tokens[0]) is first
    bench.come(tokens[3])
    assert len(bench.policy._principals) == 3
    assert bench.come(tokens[0]) is first
    assert bench.come(tokens[1]) is not second


def test_the_memory_can_be_turned_off() -> None:
    bench = Bench(cache_size=0)
    token = HS.token()
    assert bench.come(token) is not bench.come(token)


def test_the_memory_holds_no_tokens() -> None:
    bench = Bench()
    token = HS.token()
    bench.come(token)
    assert token not in repr(bench.policy._principals._entries)


def test_new_keys_end_what_old_ones_verified() -> None:
    bench = Bench()
    token = HS.token()
    bench.come(token)
    bench.keys.current = KeySet((signer("HS256", None, 1).key,))
    with pytest.raises(HubbubError, match="signature"):
        bench.come(token)
    bench.keys.current = KeySet((HS.key,))
    assert bench.come(token).user == "ada"


def test_an_unknown_key_id_asks_for_newer_keys_once() -> None:
    old, new = signer("ES256", "old"), signer("ES256", "new")
    bench = Bench(old)
    token = new.sign({"alg": "ES256", "kid": "new"}, new.claims())
    with pytest.raises(HubbubError, match="no key has its key id"):
        bench.come(token)
    assert bench.keys.renewals == 1
    bench.keys.newer = KeySet((old.key, new.key))
    assert bench.come(token).user == "ada"
    assert bench.keys.renewals == 2
    assert bench.come(token) is bench.come(token)
    with pytest.raises(HubbubError, match="signature"):
        bench.come(signer("ES256", None, 5).sign({"alg": "ES256", "kid": "new"}, new.claims()))
    assert bench.keys.renewals == 2


def test_fixed_keys_are_never_newer() -> None:
    source = FixedKeys(KeySet((HS.key,)))
    assert at_once(source.renew()) is False
    policy = TokenPolicy(Config(), source, FakeClock(NOW))
    assert at_once(policy.authenticate(HS.token(), INFO)).user == "ada"


@pytest.mark.anyio
async def test_rotation_end_to_end_driven_eagerly(key_server: KeyServer) -> None:
    """The keys rotate at the URL; the hub's eager driver starts the coroutine outside any task."""
    old, new = signer("ES256", "old"), signer("RS256", "new")
    key_server.serve(b'{"keys":[' + _json(jwk(old)) + b"]}")
    clock = FakeClock(NOW)
    keys = Keys(AuthConfig(jwks_url=key_server.url), clock)
    policy = TokenPolicy(Config(), keys, clock)
    await keys.start()
    came: list[Principal] = []

    async def come(of: Signer) -> None:
        token = of.sign({"alg": of.algorithm, "kid": of.key.id}, of.claims(sub=of.key.id))
        came.append(await policy.authenticate(token, INFO))

    assert eager.start(come(old)) is None
    key_server.serve(b'{"keys":[' + _json(jwk(new)) + b"]}")
    rest = await asyncio.gather(*(task for _ in range(5) if (task := eager.start(come(new)))))
    assert len(rest) == 5
    assert [principal.user for principal in came] == ["old"] + ["new"] * 5
    assert key_server.requests == 2
    with pytest.raises(HubbubError, match="no key has its key id"):
        await come(old)
    await keys.stop()


def _json(entry: dict[str, Any]) -> bytes:
    data = json.dumps(entry).encode()
    assert parse_jwks(b'{"keys":[' + data + b"]}", ALL, symmetric=False)
    return data


# --- revocation -----------------------------------------------------------------------------------------------


def test_a_revoked_user_is_out_although_remembered() -> None:
    bench = Bench()
    token = HS.token()
    principal = bench.come(token)
    bench.policy.revocations.revoke_user("ada")
    with pytest.raises(HubbubError, match="it was revoked") as caught:
        bench.come(token)
    assert caught.value.code is ErrorCode.INVALID_TOKEN
    assert len(bench.policy._principals) == 0
    assert bench.policy.revoked(principal)
    assert bench.come(HS.token(sub="eve")).user == "eve"
    bench.clock.advance(1)
    assert bench.come(HS.token(iat=NOW + 1)).user == "ada"


def test_a_revoked_token_is_out_and_the_others_of_the_user_are_not() -> None:
    bench = Bench()
    one, two = HS.token(jti="t1"), HS.token(jti="t2")
    bench.come(one)
    bench.policy.revocations.revoke_token("t1")
    with pytest.raises(HubbubError, match="it was revoked"):
        bench.come(one)
    assert bench.come(two).token_id == "t2"


def test_a_revocation_lasts_as_long_as_any_token_could() -> None:
    bench = Bench(max_lifetime=600, leeway=30)
    token = HS.token(exp=NOW + 600)
    bench.policy.revocations.revoke_user("ada")
    bench.clock.advance(629.9)
    with pytest.raises(HubbubError, match="it was revoked"):
        bench.come(token)
    bench.clock.advance(0.1)
    with pytest.raises(HubbubError, match="expired"):
        bench.come(token)


def test_revocation_reaches_running_sessions_and_subscription_tokens() -> None:
    bench = Bench(namespaces={"open": NamespaceConfig(subscribe="anyone")})
    principal = bench.come(HS.token(channels={"*": ["*"]}))
    grant = HS.token(channel="news", jti="g1")
    assert bench.may(ADA, "subscribe", "news", grant)
    bench.policy.revocations.revoke_token("g1")
    with pytest.raises(HubbubError, match="it was revoked"):
        bench.may(ADA, "subscribe", "news", grant)
    assert bench.may(principal, "subscribe", "news")
    bench.policy.revocations.revoke_user("ada")
    assert not bench.may(principal, "subscribe", "news")
    assert not bench.may(principal, "subscribe", "open:x")


def test_revocations_may_be_shared() -> None:
    clock = FakeClock(NOW)
    shared = Revocations(clock, 1000)
    policy = TokenPolicy(Config(), FixedKeys(KeySet((HS.key,))), clock, shared)
    assert policy.revocations is shared
    shared.revoke_user("ada")
    with pytest.raises(HubbubError, match="it was revoked"):
        at_once(policy.authenticate(HS.token(), INFO))


# --- authorize ------------------------------------------------------------------------------------------------

NOBODY = Principal("")
PERMITTED = Principal("pat", permissions=(Permission("n:*", OPERATIONS),))


@pytest.mark.parametrize(
    ("who", "anonymous", "authenticated", "permitted"),
    [
        ("anyone", True, True, True),
        ("authenticated", False, True, True),
        ("permitted", False, False, True),
        ("nobody", False, False, False),
    ],
)
@pytest.mark.parametrize("option", ["subscribe", "publish", "history"])
def test_namespace_options(
    option: Operation, who: Who, anonymous: bool, authenticated: bool, permitted: bool
) -> None:
    closed = {"subscribe": "nobody", "publish": "nobody", "history": "nobody"}
    bench = Bench(namespaces={"n": NamespaceConfig.model_validate(closed | {option: who})})
    expected = [anonymous, authenticated, permitted]
    assert [bench.may(each, option, "n:1") for each in (NOBODY, ADA, PERMITTED)] == expected
    for other in ("subscribe", "publish", "history"):
        if other != option:
            assert not bench.may(PERMITTED, other, "n:1")
    assert [bench.may(each, "presence", "n:1") for each in (NOBODY, ADA, PERMITTED)] == (
        expected if option == "subscribe" else [False] * 3
    )
    assert not bench.may(PERMITTED, option, "n")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_permission_is_for_one_operation(operation: Operation) -> None:
    bench = Bench()
    principal = Principal("ada", permissions=(Permission("orders:*", (operation,)),))
    for asked in OPERATIONS:
        assert bench.may(principal, asked, "orders:eu") is (asked == operation)
        assert not bench.may(principal, asked, "invoices:eu")


@pytest.mark.parametrize("who", ["anyone", "authenticated", "permitted", "nobody"])
def test_a_users_own_channel_whatever_the_options(who: Who) -> None:
    options = NamespaceConfig(subscribe=who, publish=who, history=who)
    bench = Bench(namespaces={"user": options})
    friend = Principal("bob", permissions=(Permission("user:ada", ("subscribe", "publish")),))
    for operation in ("subscribe", "history", "presence"):
        assert bench.may(ADA, operation, "user:ada")
        assert not bench.may(EVE, operation, "user:ada")
        assert not bench.may(NOBODY, operation, "user:ada")
    assert not bench.may(ADA, "publish", "user:ada")
    assert bench.may(friend, "subscribe", "user:ada")
    assert bench.may(friend, "publish", "user:ada")
    assert not bench.may(friend, "history", "user:ada")
    assert not bench.may(ADA, "subscribe", "user:ada:x")
    assert not bench.may(ADA, "subscribe", "user:ad")
    assert not bench.may(NOBODY, "subscribe", "user:")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_servers_channels_are_nobodys(operation: Operation) -> None:
    bench = Bench(
        namespaces={"session": NamespaceConfig(subscribe="anyone", publish="anyone", history="anyone")},
        anonymous=True,
    )
    all_of_it = Principal(
        "root", permissions=(Permission("*", OPERATIONS), Permission("session:*", OPERATIONS))
    )
    assert not bench.may(all_of_it, operation, "session:1")
    assert not bench.may(all_of_it, operation, "session:1", HS.token(sub="root", channel="session:1"))
    assert not Bench().may(all_of_it, operation, "session:1", HS.token(sub="root", channel="session:1"))
    assert bench.may(all_of_it, operation, "other:1")


# --- subscription tokens --------------------------------------------------------------------------------------


def test_a_subscription_token_opens_its_channel_to_its_user() -> None:
    bench = Bench()
    token = HS.token(channel="orders:7")
    for operation in ("subscribe", "history", "presence"):
        assert bench.may(ADA, operation, "orders:7", token)
        assert not bench.may(ADA, operation, "orders:7")
    assert not bench.may(ADA, "publish", "orders:7", token)
    assert bench.may(ADA, "publish", "orders:7", HS.token(channel="orders:7", operations=["publish"]))
    assert not bench.may(ADA, "subscribe", "orders:7", HS.token(channel="orders:7", operations=["publish"]))


def test_a_subscription_token_opens_another_users_channel() -> None:
    assert Bench().may(ADA, "subscribe", "user:eve", HS.token(channel="user:eve"))


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (HS.token(channel="orders:7", sub="eve"), "not the session's user"),
        (HS.token(channel="orders:8"), "another channel"),
        (HS.token(), "not a subscription token"),
        (HS.token(channel="orders:7", exp=NOW), "exp is not after"),
        (HS.token(channel="*"), "channel is not"),
        (signer("HS256", None, 1).token(channel="orders:7"), "signature"),
        ("x", "three base64url"),
    ],
)
def test_a_bad_subscription_token_says_why(token: str, why: str) -> None:
    with pytest.raises(HubbubError, match=why) as caught:
        Bench().may(ADA, "subscribe", "orders:7", token)
    assert caught.value.code is ErrorCode.INVALID_TOKEN
    assert len(token) < 8 or token not in str(caught.value)


def test_an_expired_subscription_token_says_so() -> None:
    bench = Bench()
    token = HS.token(channel="orders:7")
    assert bench.may(ADA, "subscribe", "orders:7", token)
    bench.clock.advance(630)
    with pytest.raises(HubbubError) as caught:
        bench.may(ADA, "subscribe", "orders:7", token)
    assert caught.value.code is ErrorCode.TOKEN_EXPIRED


def test_a_subscription_token_does_not_connect_nor_open_what_is_closed() -> None:
    bench = Bench(namespaces={"closed": NamespaceConfig(subscribe="nobody")})
    token = HS.token(channel="closed:1")
    with pytest.raises(HubbubError, match="is a subscription token"):
        bench.come(token)
    assert not bench.may(ADA, "subscribe", "closed:1", token)
    # Remembered as one kind, it still is not the other.
    good = HS.token(channel="news")
    assert bench.may(ADA, "subscribe", "news", good)
    with pytest.raises(HubbubError, match="is a subscription token"):
        bench.come(good)
    connection = HS.token()
    bench.come(connection)
    with pytest.raises(HubbubError, match="not a subscription token"):
        bench.may(ADA, "subscribe", "news", connection)


def test_a_token_that_is_not_needed_is_not_read() -> None:
    assert Bench(namespaces={"n": NamespaceConfig(subscribe="anyone")}).may(
        ADA, "subscribe", "n:1", "nonsense"
    )


def test_a_user_without_an_id_has_no_subscription_token() -> None:
    with pytest.raises(HubbubError, match="not the session's user"):
        Bench(anonymous=True).may(NOBODY, "subscribe", "news", HS.token(channel="news"))
