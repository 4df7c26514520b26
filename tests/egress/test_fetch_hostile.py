"""A thousand hostile URLs from a seed: nothing is asked of an address that is not public, on whatever way."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

import pytest
from tests.egress.hostile import hostile_urls, inside
from tests.egress.strangers import PUBLIC, Internet, internet, redirects, says

from hubbub.egress.fetch import Egress
from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio
COUNT = 1_000
HTML = ("text/html",)


class Treacherous(Internet):
    """Names that were public when they were looked up first, and others that lead inside."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = random.Random(seed)
        self._hostile = list(hostile_urls(seed + 1, 100))
        self.answers["ok.example"] = says(b"public")
        self.answers["rebinding.example"] = redirects("/again")
        self.answers["looping.example"] = redirects("/", "307 Again")
        for host in ("redirecting.example", "both.example", "private.example", "mapped.example", "localhost"):
            self.answers[host] = says(b"secret")

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        await asyncio.sleep(0)
        match host:
            case "ok.example" | "looping.example":
                return [PUBLIC]
            case "redirecting.example":
                self.answers[host] = redirects(self.random.choice(self._hostile).replace("\r\n", ""))
                return [PUBLIC]
            case "rebinding.example":
                return [PUBLIC] if self.asked.count(host) % 2 else [inside(self.random)]
            case "both.example":
                return [PUBLIC, inside(self.random)]
            case "mapped.example":
                return ["::ffff:10.0.0.1"]
        return [inside(self.random)]


async def outcome(egress: Egress, url: str) -> str | ErrorCode:
    try:
        return (await egress.fetch(url, HTML, 1_000)).body.decode()
    except HubbubError as error:
        return error.code


@pytest.mark.parametrize("seed", [1, 2026])
async def test_none_is_fetched_from_inside(seed: int) -> None:
    async with internet(Treacherous(seed)) as net:
        egress = net.egress(ports=(80, 443))
        outcomes: Counter[str | ErrorCode] = Counter()
        for url in hostile_urls(seed, COUNT):
            outcomes[await outcome(egress, url)] += 1
        assert set(net.dialled) == {PUBLIC}
        assert set(outcomes) <= {ErrorCode.EGRESS_REFUSED, "public"}
        assert outcomes[ErrorCode.EGRESS_REFUSED] > COUNT * 0.95
        assert len(net.dialled) > 20, "some did get as far as the first request"
        for request in net.requests:
            assert request.count(b"Host:") == 1
            assert b"\r\nX:" not in request
