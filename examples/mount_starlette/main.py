"""Hubbub inside a Starlette application.

    HUBBUB_AUTH__HMAC_SECRET=$(hubbub token --new-secret) uvicorn main:app

Clients connect to ws://127.0.0.1:8000/realtime/v1/ws or http://127.0.0.1:8000/realtime/v1/sse?channel=news.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from hubbub import Hubbub, Session

hubbub = Hubbub()


@hubbub.authorize("subscribe", "news")
async def everybody_may_follow(session: Session, channel: str) -> bool:
    return True


async def announce(request: Request) -> PlainTextResponse:
    await hubbub.publish("news", "announcement", (await request.body()).decode())
    return PlainTextResponse("published\n")


app = Starlette(
    routes=[Route("/announce", announce, methods=["POST"]), Mount("/realtime", hubbub.asgi)],
    lifespan=hubbub.lifespan,
)
