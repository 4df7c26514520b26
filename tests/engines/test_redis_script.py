from __future__ import annotations

from pathlib import Path

import pytest

import hubbub
from hubbub.engines.redis_script import Script
from hubbub.testing.redis import RedisServer


def test_its_sha_is_that_of_redis(redis_server: RedisServer) -> None:
    script = Script.of("return 'ü'")
    assert redis_server.ask("SCRIPT", "LOAD", script.source) == script.sha.encode()


@pytest.mark.parametrize(
    "path", sorted(Path(hubbub.__file__).parent.glob("*/lua/*.lua")), ids=lambda path: str(path.stem)
)
def test_those_that_are_shipped_are_lua(path: Path, redis_server: RedisServer) -> None:
    script = Script.load(path.parts[-3], path.stem)
    assert script.source == path.read_text(encoding="utf-8")
    assert redis_server.ask("SCRIPT", "LOAD", script.source) == script.sha.encode()


def test_one_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        Script.load("engines", "no-such-script")
