"""Revocation by user and by token, and forgetting in time."""

from __future__ import annotations

from hubbub.auth.revocation import Revocations
from hubbub.testing.clock import FakeClock

NOW = 1_700_000_000.0


def revocations(horizon: float = 100.0) -> tuple[FakeClock, Revocations]:
    clock = FakeClock(NOW)
    return clock, Revocations(clock, horizon)


def test_nothing_is_revoked_at_first() -> None:
    _, revoked = revocations()
    assert not revoked.revoked("ada", "t1", NOW)
    assert not revoked.revoked("ada", None, None)


def test_a_users_tokens_up_to_now_are_revoked() -> None:
    _, revoked = revocations()
    revoked.revoke_user("ada")
    assert revoked.revoked("ada", None, NOW - 50)
    assert revoked.revoked("ada", "t1", NOW)
    assert revoked.revoked("ada", None, None)
    assert not revoked.revoked("ada", None, NOW + 1)
    assert not revoked.revoked("eve", None, NOW - 50)
    assert not revoked.revoked("eve", "ada", NOW - 50)


def test_one_token_is_revoked() -> None:
    _, revoked = revocations()
    revoked.revoke_token("t1")
    assert revoked.revoked("ada", "t1", NOW)
    assert revoked.revoked("ada", "t1", NOW + 10)
    assert not revoked.revoked("ada", "t2", NOW)
    assert not revoked.revoked("t1", None, NOW)


def test_a_second_revocation_of_a_user_reaches_newer_tokens() -> None:
    clock, revoked = revocations()
    revoked.revoke_user("ada")
    clock.advance(10)
    assert not revoked.revoked("ada", None, NOW + 5)
    revoked.revoke_user("ada")
    assert revoked.revoked("ada", None, NOW + 5)
    assert revoked.revoked("ada", None, NOW + 10)


def test_revocations_end_exactly_with_the_last_token_they_concern() -> None:
    clock, revoked = revocations(horizon=100)
    revoked.revoke_user("ada")
    revoked.revoke_token("t1")
    revoked.revoke_token("t2", expires=NOW + 10)
    clock.advance(9.5)
    assert revoked.revoked("x", "t2", NOW)
    clock.advance(0.5)
    assert not revoked.revoked("x", "t2", NOW)
    assert revoked.revoked("x", "t1", NOW)
    clock.advance(89.5)
    assert revoked.revoked("ada", None, NOW)
    assert revoked.revoked("x", "t1", NOW)
    clock.advance(0.5)
    assert not revoked.revoked("ada", None, NOW)
    assert not revoked.revoked("x", "t1", NOW)


def test_a_shorter_second_revocation_does_not_shorten_the_first() -> None:
    clock, revoked = revocations(horizon=100)
    revoked.revoke_user("ada")
    revoked.revoke_user("ada", expires=NOW + 1)
    revoked.revoke_token("t1")
    revoked.revoke_token("t1", expires=NOW + 1)
    clock.advance(50)
    assert revoked.revoked("ada", None, NOW)
    assert revoked.revoked("x", "t1", NOW)


def test_memory_is_bounded_by_expiry() -> None:
    clock, revoked = revocations(horizon=100)
    for number in range(1_000):
        revoked.revoke_user(f"u{number}")
        revoked.revoke_token(f"t{number}")
        clock.advance(1)
    assert len(revoked) <= 202
    for _ in range(50):
        revoked.revoke_user("ada")
        clock.advance(10)
    assert len(revoked) == 1
    clock.advance(1_000)
    revoked.revoke_token("last")
    assert len(revoked) == 1
