"""Names in URL paths: channels, users and sessions, whose names may hold slashes, colons and percent signs. Pure.

A name is percent-encoded UTF-8 (RFC 3986, section 2.1). As many proxies decode `%2F`, a slash within a name may also
stand as it is: everything between the collection and the last segment, if that is an action, is the name. A channel
that is itself called `a/history` needs its slash encoded to be told from the history of `a`. A user called `.` or `..`
cannot be named in a path, encoded or not: clients fold it away before they send it.
"""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes

from hubbub.errors import ErrorCode, HubbubError

COLLECTIONS: dict[str, frozenset[str]] = {
    "/v1/channels/": frozenset(("history", "presence")),
    "/v1/users/": frozenset(
        ("publish", "connections", "disconnect", "subscribe", "unsubscribe", "queue", "export", "erasure")
    ),
    "/v1/connections/": frozenset(("publish", "disconnect")),
}
"""Path prefixes that a name follows, and the actions that may follow the name."""


def route_path(raw: str) -> str:
    """The path to route by: `raw`, still percent-encoded, with each name made a single segment."""
    for prefix, actions in COLLECTIONS.items():
        if raw.startswith(prefix) and raw != prefix:
            rest = raw[len(prefix) :]
            name, slash, action = rest.rpartition("/")
            if slash and name and action in actions:
                return f"{prefix}{name.replace('/', '%2F')}/{action}"
            return prefix + rest.replace("/", "%2F")
    return raw


def decoded(segment: str, field: str) -> str:
    """The name that a path's segment stands for. Raises BAD_REQUEST if it is not UTF-8."""
    try:
        return unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise HubbubError(ErrorCode.BAD_REQUEST, f"{field}: not UTF-8", field=field) from None


def encoded(name: str) -> str:
    """`name` as one segment of a path."""
    return quote(name, safe="")
