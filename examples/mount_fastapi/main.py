"""Hubbub inside a FastAPI application: one process, one port, and publishing from any route.

    HUBBUB_AUTH__HMAC_SECRET=$(hubbub token --new-secret) uvicorn main:api

Clients connect to ws://127.0.0.1:8000/realtime/v1/ws or http://127.0.0.1:8000/realtime/v1/sse?channel=orders.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from hubbub import Hubbub, Session

hubbub = Hubbub()
api = FastAPI(lifespan=hubbub.lifespan)
api.mount("/realtime", hubbub.asgi)


@hubbub.authorize("subscribe", "orders")
async def everybody_may_follow(session: Session, channel: str) -> bool:
    return True


@api.post("/orders")
async def create_order(order: dict[str, Any]) -> dict[str, Any]:
    await hubbub.publish("orders", "order.created", order)
    return order
