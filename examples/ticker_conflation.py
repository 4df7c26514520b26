"""Prices that change faster than anyone reads: subscribers get the latest of each key, ten times a second at the most.

    hubbub serve ticker_conflation:app --dev --set namespaces.ticker.retention=1000 \
        --set namespaces.ticker.conflate=true --set namespaces.ticker.subscribe=authenticated

A newcomer subscribes, then asks for `history`: that is the latest price of every symbol.
"""

from __future__ import annotations

import asyncio
import random

from hubbub import Hubbub, Session

SYMBOLS = ("ACME", "INIT", "UMBR")

app = Hubbub()
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
    """The first session starts the ticker."""
    if not running:
        running.add(asyncio.create_task(tick()))
