from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr
from tests.hub.world import OPEN, OpenPolicy

from hubbub import Hubbub
from hubbub.auth.base import Policy
from hubbub.auth.policy import TokenPolicy
from hubbub.config import AuthConfig, BrokerConfig, Config, validate
from hubbub.errors import ConfigError, ErrorCode, HubbubError
from hubbub.hub.session import Session
from hubbub.testing import FakeClock

pytestmark = pytest.mark.anyio


def hubbub(**values: Any) -> Hubbub:
    config = Config(auth=AuthConfig(hmac_secret=SecretStr("s" * 32)), default=OPEN, **values)
    return Hubbub(config, policy=OpenPolicy(), clock=FakeClock())


async def test_start_and_stop_twice_are_once() -> None:
    app = hubbub()
    await app.stop()
    await app.start()
    await app.start()
    clock: Any = app.clock
    timers = clock.pending
    assert app.started
    await app.stop()
    await app.stop()
    assert not app.started
    assert clock.pending == 0
    await app.start()
    assert clock.pending == timers
    await app.stop()


async def test_a_start_that_fails_is_no_start() -> None:
    app = hubbub()

    async def broken() -> None:
        raise ConfigError("no keys")

    start, app.keys.start = app.keys.start, broken  # type: ignore[method-assign]
    with pytest.raises(ConfigError):
        await app.start()
    assert not app.started
    app.keys.start = start  # type: ignore[method-assign]
    await app.start()
    assert app.started
    await app.stop()


async def test_lifespan_stops_even_after_an_error() -> None:
    app = hubbub()

    async def fail_inside() -> None:
        async with app.lifespan(object()):
            assert app.started
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_inside()
    assert not app.started


async def test_publishing_from_anywhere_in_the_process() -> None:
    app = hubbub()
    async with app.lifespan():
        first = await app.publish("a", "message", {"n": 1}, key="k")
        again = await app.publish("a", "message", {"n": 1}, key="k")
        assert first == again
        assert first is not None
        assert first.offset == 1
        positions = await app.broadcast(["a", "b"], "message", 2)
        assert [each.offset for each in positions if each is not None] == [2, 1]
        with pytest.raises(HubbubError) as failure:
            await app.broadcast(["no good", "a"], "message", 3)
        assert failure.value.code == ErrorCode.INVALID_CHANNEL
        assert (await app.publish("a", "message", 4)).offset == 4  # type: ignore[union-attr]
        assert await app.send_to_user("nobody", "hello", 1) == 0
        assert not await app.send_to_session("none", "hello", 1)


def test_an_unknown_broker_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"broker\.type: there is no 'kafka'; known are memory"):
        hubbub(broker=BrokerConfig(type="kafka"))


def test_handlers_rules_and_hooks_are_given_back_as_they_were() -> None:
    app = hubbub()

    async def handler(session: Session, number: int) -> int:
        return number

    async def rule(session: Session, channel: str) -> bool:
        return True

    async def hook(session: Session) -> None: ...

    assert app.on("double")(handler) is handler
    assert app.authorize("subscribe", "orders:*")(rule) is rule
    assert app.on_connect(hook) is hook
    assert app.on_disconnect(hook) is hook
    assert app.handlers.methods["double"].params is int
    assert len(app.handlers.rules) == len(app.handlers.connected) == len(app.handlers.disconnected) == 1


def test_what_could_never_be_called_is_a_type_error() -> None:
    app = hubbub()

    def plain(*_: Any) -> Any: ...

    async def nothing() -> None: ...

    for wrong in (plain, nothing):
        for register in (app.on("m"), app.authorize("publish", "a"), app.on_connect, app.on_disconnect):
            with pytest.raises(TypeError):
                register(wrong)


async def test_settings_are_read_when_none_are_given(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hubbub.toml").write_text("[server]\nport = 4321\n")
    monkeypatch.chdir(tmp_path)
    app = await asyncio.to_thread(Hubbub)
    assert app.config.server.port == 4321


async def test_a_policy_may_wrap_the_one_that_reads_tokens() -> None:
    config = Config(auth=AuthConfig(hmac_secret=SecretStr("s" * 32)))
    seen: list[TokenPolicy] = []

    def wrap(tokens: TokenPolicy) -> Policy:
        seen.append(tokens)
        return OpenPolicy()

    app = Hubbub(config, policy=wrap, clock=FakeClock())
    assert seen == [app.tokens]
    assert isinstance(app.policy, OpenPolicy)
    assert app.hub.policy is app.policy


async def test_a_policy_of_its_own_needs_no_secret() -> None:
    with pytest.raises(ConfigError, match="hmac_secret"):
        validate(Config())
    validate(Config(), tokens=False)
