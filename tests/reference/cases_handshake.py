"""Cases: how sessions are opened, and requests that are refused before a session has to do with them."""

from __future__ import annotations

from functools import partial

from tests.reference.table import add, case
from tests.reference.wire import Wire

POLLING = "?EIO=4&transport=polling"
WEBSOCKET = "?EIO=4&transport=websocket"

REQUESTS = (
    ("GET", POLLING),
    ("GET", f"{POLLING}&sid="),
    ("GET", f"{POLLING}&t=abc&x=%20"),
    ("GET", f"{POLLING}&b64=1"),
    ("GET", "?EIO=3&EIO=4&transport=polling"),
    ("GET", "?EIO=4&transport=abc&transport=polling"),
    ("GET", "?transport=polling&EIO=4"),
    ("GET", "?EIO=%34&transport=poll%69ng"),
    ("GET", ""),
    ("GET", "?EIO=4"),
    ("GET", "?EIO=4&transport=abc"),
    ("GET", "?EIO=4&transport=Polling"),
    ("GET", "?EIO=4&transport=webtransport"),
    ("GET", "?transport=polling"),
    ("GET", "?EIO=&transport=polling"),
    ("GET", "?EIO=3&transport=polling"),
    ("GET", "?EIO=5&transport=polling"),
    ("GET", "?EIO=04&transport=polling"),
    ("GET", "?EIO=abc&transport=polling"),
    ("GET", "?EIO=3&transport=abc"),
    ("GET", "?EIO=3&transport=websocket"),
    ("GET", WEBSOCKET),
    ("GET", f"{POLLING}&sid=abc"),
    ("GET", f"{WEBSOCKET}&sid=abc"),
    ("GET", "?EIO=3&transport=polling&sid=abc"),
    ("GET", "?EIO=4&transport=abc&sid=abc"),
    ("GET", f"{POLLING}&sid=__proto__"),
    ("POST", POLLING),
    ("POST", "?EIO=3&transport=polling"),
    ("POST", f"{POLLING}&sid=abc"),
    ("POST", WEBSOCKET),
    ("PUT", POLLING),
    ("PUT", f"{POLLING}&sid=abc"),
    ("DELETE", POLLING),
    ("PATCH", POLLING),
    ("OPTIONS", POLLING),
    ("OPTIONS", f"{POLLING}&sid=abc"),
    ("HEAD", POLLING),
    ("HEAD", f"{POLLING}&sid=abc"),
)

PATHS = (
    "/socket.io/more?EIO=4&transport=polling",
    "/socket.io?EIO=4&transport=polling",
    "/socket.io",
    "/socket.iox/?EIO=4&transport=polling",
    "/Socket.io/?EIO=4&transport=polling",
    "/socket%2Eio/?EIO=4&transport=polling",
    "//socket.io/?EIO=4&transport=polling",
)

UPGRADES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("GET", "?EIO=4", {}),
    ("GET", "?EIO=4&transport=abc", {}),
    ("GET", "?transport=websocket", {}),
    ("GET", "?EIO=3&transport=websocket", {}),
    ("GET", f"{WEBSOCKET}&sid=abc", {}),
    ("GET", "?EIO=3&transport=websocket&sid=abc", {}),
    ("POST", WEBSOCKET, {}),
    ("GET", WEBSOCKET, {"Sec-WebSocket-Key": "abc"}),
    ("GET", WEBSOCKET, {"Sec-WebSocket-Version": "12"}),
)


async def ask(wire: Wire, method: str, query: str) -> None:
    await wire.request(method, query)


async def ask_path(wire: Wire, target: str) -> None:
    answer = await (await wire.begin("GET", "", target=target)).answer()
    if answer.status == 404:  # what a server says of its other paths is its own
        wire.seen[-1] = "GET: 404"


async def ask_upgrade(wire: Wire, method: str, query: str, headers: dict[str, str]) -> None:
    channel = await wire.ask_upgrade(query, headers, method=method)
    wire.see(f"then {await channel.client.read_end()}")


for method, query in REQUESTS:
    add(f"request {method} {query or 'without a query'}", partial(ask, method=method, query=query))
for target in PATHS:
    add(f"path {target}", partial(ask_path, target=target))
for method, query, headers in UPGRADES:
    title = " ".join([method, query, *(f"{name}: {value}" for name, value in headers.items())])
    add(f"upgrade {title}", partial(ask_upgrade, method=method, query=query, headers=headers))


@case()
async def websocket_opens(wire: Wire) -> None:
    channel = await wire.ask_upgrade(WEBSOCKET)
    await channel.read()


@case()
async def websocket_without_compression_though_offered(wire: Wire) -> None:
    channel = await wire.ask_upgrade(WEBSOCKET, {"Sec-WebSocket-Extensions": "permessage-deflate"})
    await channel.read()


@case()
async def websocket_with_subprotocols_offered(wire: Wire) -> None:
    channel = await wire.ask_upgrade(WEBSOCKET, {"Sec-WebSocket-Protocol": "a, b"})
    await channel.read()


@case()
async def upgrade_to_another_protocol(wire: Wire) -> None:
    await wire.ask_upgrade(WEBSOCKET, {"Upgrade": "h2c"})


@case()
async def websocket_for_polling(wire: Wire) -> None:
    channel = await wire.ask_upgrade(POLLING)
    await channel.read_on()


@case(max_payload=12_345, ping_interval=1.5, ping_timeout=2.25)
async def settings_are_announced(wire: Wire) -> None:
    await wire.request("GET", POLLING)
    await (await wire.ask_upgrade(WEBSOCKET)).read()


@case(transports=("polling",))
async def polling_only(wire: Wire) -> None:
    await wire.request("GET", POLLING)
    await wire.request("GET", WEBSOCKET)
    await wire.ask_upgrade(WEBSOCKET)


@case(transports=("websocket",))
async def websocket_only(wire: Wire) -> None:
    await wire.request("GET", POLLING)
    await wire.request("POST", POLLING)
    await (await wire.ask_upgrade(WEBSOCKET)).read()


@case(upgrades=False)
async def upgrades_turned_off(wire: Wire) -> None:
    await wire.request("GET", POLLING)
    session = await wire.poll()
    channel = await wire.ask_upgrade(session.upgrade_query)
    await channel.send("2probe")
    await channel.read()


@case(path="/other/")
async def another_path(wire: Wire) -> None:
    wire.path = "/other/"
    await wire.request("GET", POLLING)
    await ask_path(wire, f"/socket.io/{POLLING}")


@case()
async def polling_session_and_wrong_transport(wire: Wire) -> None:
    session = await wire.poll()
    await wire.request("GET", session.upgrade_query)
    await wire.request("POST", session.upgrade_query, body=b"42")
    await wire.request("GET", session.query.replace("polling", "abc"))
    await session.rest()


@case()
async def polling_session_and_wrong_version(wire: Wire) -> None:
    session = await wire.poll()
    for version in ("EIO=3&", "EIO=5&", ""):
        await wire.request("GET", session.query.replace("EIO=4&", version))
        await wire.request("POST", session.query.replace("EIO=4&", version), body=b"42")
        await ask_upgrade(wire, "GET", session.upgrade_query.replace("EIO=4&", version), {})
    await session.rest()


@case()
async def polling_session_and_other_methods(wire: Wire) -> None:
    session = await wire.poll()
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
        await (await session.begin(method)).answer()
    await session.rest()


@case()
async def websocket_session_and_polling(wire: Wire) -> None:
    channel = await wire.websocket()
    for method in ("GET", "POST", "PUT", "OPTIONS"):
        await wire.request(method, f"{POLLING}&sid={channel.sid}")
    await channel.mark()


@case()
async def websocket_session_and_wrong_version(wire: Wire) -> None:
    channel = await wire.websocket()
    await ask_upgrade(wire, "GET", f"?EIO=3&transport=websocket&sid={channel.sid}", {})
    await ask_upgrade(wire, "GET", f"?transport=websocket&sid={channel.sid}", {})
    await channel.mark()


@case(upgrade_timeout=0.2)
async def websocket_session_and_another_websocket(wire: Wire) -> None:
    channel = await wire.websocket()
    await (await wire.websocket(f"{WEBSOCKET}&sid={channel.sid}")).read_on()
    await channel.mark()


@case()
async def websocket_session_and_get_without_upgrade(wire: Wire) -> None:
    channel = await wire.websocket()
    poll = await wire.begin("GET", f"{WEBSOCKET}&sid={channel.sid}")
    await poll.hangs()
    await channel.mark()


@case()
async def old_internet_explorer(wire: Wire) -> None:
    await wire.request("GET", POLLING, {"User-Agent": "Mozilla/5.0 (compatible;MSIE 9)"})
    session = await wire.poll()
    await session.post(b'42["message",1]', {"User-Agent": "x Trident/7.0"})
    await session.get({"User-Agent": "x Trident/7.0"})
    await wire.request("GET", f"{POLLING}&sid=x", {"User-Agent": "x Trident/7.0"})


@case()
async def foreign_origin_without_cors(wire: Wire) -> None:
    await wire.request("GET", POLLING, {"Origin": "http://elsewhere.example"})
    await (await wire.ask_upgrade(WEBSOCKET, {"Origin": "http://elsewhere.example"})).read()


CORS = ("https://app.example", "https://other.example")


@case(origins=CORS)
async def cors_of_an_allowed_origin(wire: Wire) -> None:
    origin = {"Origin": CORS[0]}
    await wire.request("GET", POLLING, origin)
    session = await wire.poll()
    await session.post(b'42["message",1]', origin)
    await session.get(origin)
    await session.post(b"x" * 2, origin | {"Content-Type": "application/octet-stream"})
    await session.get(origin)
    await wire.request("GET", "?EIO=4", origin)
    await (await wire.ask_upgrade(WEBSOCKET, origin)).read()
    await ask_upgrade(wire, "GET", f"{WEBSOCKET}&sid=x", origin)


@case(origins=CORS)
async def cors_without_an_origin(wire: Wire) -> None:
    await wire.request("GET", POLLING)
    session = await wire.poll()
    await session.post(b'42["message",1]')
    await session.get()


@case(origins=CORS)
async def cors_preflight(wire: Wire) -> None:
    asked = {"Origin": CORS[1], "Access-Control-Request-Method": "POST"}
    await wire.request("OPTIONS", POLLING, asked)
    await wire.request("OPTIONS", POLLING, asked | {"Access-Control-Request-Headers": "content-type, x-a"})
    await wire.request("OPTIONS", f"{POLLING}&sid=unknown", asked)
    session = await wire.poll()
    await (await session.begin("OPTIONS", b"", asked)).answer()


@case(origins=CORS)
async def cors_of_a_foreign_origin(wire: Wire) -> None:
    origin = {"Origin": "https://evil.example"}
    await wire.request("GET", POLLING, origin)
    await wire.request("OPTIONS", POLLING, origin | {"Access-Control-Request-Method": "POST"})
    await wire.ask_upgrade(WEBSOCKET, origin)
