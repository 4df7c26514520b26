"""What a handler of `connect` is told of the request that its client opened with, and what that tells of the client."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from hubbub.auth.base import ConnectionInfo

JAVASCRIPT = ("mozilla/", "node-xmlhttprequest", "deno/", "bun/")


def environ(info: ConnectionInfo) -> dict[str, Any]:
    """The request as WSGI has it (PEP 3333), as python-socketio's handlers expect; `hubbub.info` is ours. Headers with
    an underscore in their names are left out: they would pass for those with a hyphen, which a proxy may vouch for."""
    request: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "QUERY_STRING": info.query,
        "REMOTE_ADDR": info.address,
        "hubbub.info": info,
    }
    for name, value in info.headers:
        if "_" in name:
            continue
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        request[key] = f"{request[key]},{value}" if key in request else value
    return request


def speaks_javascript(info: ConnectionInfo) -> bool:
    """Whether this is the JavaScript client, the only one that takes the offset at the end of an event for what it
    is. `?recovery=on` or `off` in the client's URL decides; otherwise its User-Agent does, or, where Node's WebSocket
    sends none, that it offers permessage-deflate."""
    wish = parse_qs(info.query).get("recovery", [""])[-1] if "recovery=" in info.query else ""
    if wish in ("on", "off"):
        return wish == "on"
    if info.user_agent:
        return info.user_agent.lower().startswith(JAVASCRIPT)
    return any(
        name == "sec-websocket-extensions" and "client_max_window_bits" in value
        for name, value in info.headers
    )
