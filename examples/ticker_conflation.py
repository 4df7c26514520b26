"""Prices that change faster than anyone reads: each key's latest is delivered. `hubbub serve ticker_conflation:app`.

A newcomer subscribes, then asks for `history`: that is the latest price of every symbol.
"""

from __future__ import annotations

import asyncio
import random

from hubbub import Hubbub, Session
from hubbub.config import Config, NamespaceConfig, current

TICKER = NamespaceConfig(
    retention=1_000, subscribe="authenticated", publish="nobody", conflate=True, conflate_interval=0.05
)
SYMBOLS = ("ACME", "INIT", "UMBR")


def make(config: Config) -> Hubbub:
    app = Hubbub(config.model_copy(update={"namespaces": {**config.namespaces, "ticker": TICKER}}))
    running: set[asyncio.Task[None]] = set()

    async def tick() -> None:
        prices = dict.fromkeys(SYMBOLS, 100.0)
        while app.started:
            symbol = random.choice(SYMBOLS)
            prices[symbol] = round(prices[symbol] * random.uniform(0.99, 1.01), 2)
            data = {"symbol": symbol, "price": prices[symbol]}
            await app.publish("ticker:all", "price", data, conflation_key=symbol)
            await asyncio.sleep(0.001)

    @app.on_connect
    async def wake(session: Session) -> None:
        if not running:
            task = asyncio.create_task(tick())
            running.add(task)
            task.add_done_callback(running.discard)

    return app


app = make(current())
