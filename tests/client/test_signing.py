from __future__ import annotations

import pytest

from hubbub.auth import tokens
from hubbub.client import signing

SECRET = "s" * 32
NOW = 1_790_000_000.0
KEYS = tokens.KeySet((tokens.Key(None, frozenset({"HS256"}), SECRET.encode()),))


def test_the_server_takes_what_is_signed_here() -> None:
    made = signing.token(
        SECRET,
        "ada",
        now=NOW,
        ttl=60,
        kind="agent",
        info={"name": "Ada"},
        channels={"orders:*": ["subscribe", "history"]},
        subscribe=["news"],
        token_id="t1",
    )
    principal = tokens.verify(made, KEYS, tokens.TokenRules(), now=NOW)
    assert (principal.user, principal.kind, principal.expires) == ("ada", "agent", NOW + 60)
    assert (principal.subscribe, principal.token_id, principal.info) == (("news",), "t1", b'{"name":"Ada"}')
    assert principal.permissions[0].operations == ("subscribe", "history")


def test_it_is_the_same_token_that_the_server_mints() -> None:
    made = signing.token(SECRET, "ada", now=NOW, ttl=60.5, audience="a", issuer="i", key_id="k")
    rules = tokens.TokenRules(audience="a", issuer="i")
    keys = tokens.KeySet((tokens.Key("k", frozenset({"HS256"}), SECRET.encode()),))
    minted = tokens.mint(SECRET, "ada", now=NOW, ttl=60.5, audience="a", issuer="i", key_id="k")
    verified = [tokens.verify(each, keys, rules, now=NOW) for each in (made, minted)]
    assert verified[0] == verified[1]


def test_a_token_for_one_channel() -> None:
    made = signing.subscription(SECRET, "ada", "room:1", now=NOW, ttl=60, operations=["subscribe"])
    grant = tokens.verify_subscription(made, KEYS, tokens.TokenRules(), now=NOW)
    assert (grant.user, grant.channel, grant.operations) == ("ada", "room:1", ("subscribe",))


@pytest.mark.parametrize("secret", [b"s" * 32, "t" * 32])
def test_the_secret_counts(secret: str | bytes) -> None:
    made = signing.token(secret, "ada", now=NOW, ttl=60)
    if secret == b"s" * 32:
        assert tokens.verify(made, KEYS, tokens.TokenRules(), now=NOW).user == "ada"
    else:
        with pytest.raises(Exception, match="signature"):
            tokens.verify(made, KEYS, tokens.TokenRules(), now=NOW)
