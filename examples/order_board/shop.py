"""A live order board: one typed handler and one rule. In this folder: `hubbub serve shop:app --dev`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from hubbub import ErrorCode, Hubbub, HubbubError, Session

REGIONS = {"ada": ("eu", "us"), "bob": ("us",)}  # who works where; yours would ask a database

app = Hubbub()  # settings from hubbub.toml and HUBBUB_*


class Order(Struct):
    """One line of the board."""

    id: Annotated[str, Meta(min_length=1, max_length=40)]
    region: Literal["eu", "us"]
    price: Annotated[float, Meta(gt=0)]
    state: Literal["new", "paid", "shipped"] = "new"


class Accepted(Struct):
    offset: int


@app.on("order.update")
async def order_update(session: Session, order: Order) -> Accepted:
    """Change an order and tell everybody who follows its region."""
    if order.region not in REGIONS.get(session.user, ()):
        raise HubbubError(ErrorCode.PERMISSION_DENIED, f"{session.user} does not work in {order.region}")
    position = await app.publish(f"orders:{order.region}", "order.updated", order)
    assert position is not None  # hubbub.toml gives `orders` a log
    return Accepted(position.offset)


@app.authorize("subscribe", "orders:*")
async def may_follow(session: Session, channel: str) -> bool:
    return channel.removeprefix("orders:") in REGIONS.get(session.user, ())
