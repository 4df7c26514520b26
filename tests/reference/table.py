"""The table of cases: what is done to both servers, and the options under which it is done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from tests.reference.wire import Wire

Play = Callable[[Wire], Awaitable[None]]


class Options(NamedTuple):
    """What both servers can be told. Times are seconds; what is not said is as in production, where nothing beats."""

    ping_interval: float = 25.0
    ping_timeout: float = 20.0
    upgrade_timeout: float = 10.0
    connect_timeout: float = 45.0
    max_payload: int = 1_000_000
    transports: tuple[str, ...] = ("polling", "websocket")
    upgrades: bool = True
    path: str = "/socket.io/"
    parser: str = "json"
    origins: tuple[str, ...] = ()

    def for_node(self) -> dict[str, Any]:
        """As the options of Socket.IO's `Server` on Node."""
        options: dict[str, Any] = {
            "pingInterval": round(self.ping_interval * 1000),
            "pingTimeout": round(self.ping_timeout * 1000),
            "upgradeTimeout": round(self.upgrade_timeout * 1000),
            "connectTimeout": round(self.connect_timeout * 1000),
            "maxHttpBufferSize": self.max_payload,
            "transports": self.transports,
            "allowUpgrades": self.upgrades,
            "path": self.path,
        }
        if self.parser == "msgpack":
            options["parser"] = "socket.io-msgpack-parser"
        if self.origins:
            options["cors"] = {"origin": self.origins, "credentials": True}
        return options


class Case(NamedTuple):
    name: str
    options: Options
    play: Play


CASES: dict[str, Case] = {}


def add(name: str, play: Play, **options: Any) -> None:
    """Put a case into the table."""
    assert name not in CASES, name
    CASES[name] = Case(name, Options(**options), play)


def case(**options: Any) -> Callable[[Play], Play]:
    """A function as a case, named as it is."""

    def enter(play: Play) -> Play:
        add(play.__name__.replace("_", " "), play, **options)
        return play

    return enter
