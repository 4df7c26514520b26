"""The table of error codes and the table of disconnect codes. Reference pages are generated from both.

An error answers one command or request and the connection goes on. A disconnect ends the connection, and its
number says what a client may do: 3000-3499 come back (and resume), 3500-3999 do not come back before something
has been changed. 1000-1015 are RFC 6455's own, used for violations of the WebSocket protocol itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class ErrorCode(IntEnum):
    """Why a command was refused. `ERRORS` says more of each."""

    INTERNAL = 100
    UNAUTHENTICATED = 101
    INVALID_TOKEN = 102
    TOKEN_EXPIRED = 103
    PERMISSION_DENIED = 104
    NOT_FOUND = 105
    METHOD_NOT_FOUND = 106
    BAD_REQUEST = 107
    INVALID_DATA = 108
    VALIDATION_FAILED = 109
    INVALID_CHANNEL = 110
    MESSAGE_TOO_LARGE = 111
    ALREADY_SUBSCRIBED = 112
    NOT_SUBSCRIBED = 113
    ALREADY_CONNECTED = 114
    LIMIT_EXCEEDED = 115
    RATE_LIMITED = 116
    IDEMPOTENCY_CONFLICT = 117
    NOT_AVAILABLE = 118
    SESSION_GONE = 119
    DRAINING = 120
    TIMEOUT = 121
    CONNECTION_LIMIT = 122
    ORIGIN_REFUSED = 123
    TICKET_INVALID = 124
    METHOD_NOT_ALLOWED = 125
    STORE_UNAVAILABLE = 126
    STORE_FULL = 127
    CONFLICT = 128
    CONVERSATION_CLOSED = 129
    MESSAGE_DELETED = 130
    BROKER_UNAVAILABLE = 131
    NODE_UNAVAILABLE = 132
    OVERLOADED = 133
    RESTRICTED = 134
    REJECTED = 135
    SLOW_MODE = 136
    UPLOAD_CONFLICT = 137
    FILE_REFUSED = 138
    QUOTA_EXCEEDED = 139
    MODERATION_UNAVAILABLE = 140
    LEGAL_HOLD = 141
    EGRESS_REFUSED = 142


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """One row of the error table. `status` is the HTTP status the same error has in the REST API."""

    name: str
    text: str
    status: int
    temporary: bool
    advice: str


ERRORS: dict[ErrorCode, ErrorInfo] = {
    ErrorCode.INTERNAL: ErrorInfo(
        "internal",
        "internal error",
        500,
        True,
        "Try again; if it persists, look in the server's log for the same request id.",
    ),
    ErrorCode.UNAUTHENTICATED: ErrorInfo(
        "unauthenticated",
        "not authenticated",
        401,
        False,
        "Send `connect` with a token first, or an API key in `Authorization: Bearer`.",
    ),
    ErrorCode.INVALID_TOKEN: ErrorInfo(
        "invalid_token", "invalid token", 401, False, "Mint a new token; the message says which check failed."
    ),
    ErrorCode.TOKEN_EXPIRED: ErrorInfo(
        "token_expired",
        "token expired",
        401,
        False,
        "Fetch a fresh token from your backend and connect or `refresh` with it.",
    ),
    ErrorCode.PERMISSION_DENIED: ErrorInfo(
        "permission_denied",
        "permission denied",
        403,
        False,
        "Grant the operation in the token's `channels` claim, in the namespace's options or in a Policy.",
    ),
    ErrorCode.NOT_FOUND: ErrorInfo("not_found", "not found", 404, False, "Check the name or id."),
    ErrorCode.METHOD_NOT_FOUND: ErrorInfo(
        "method_not_found",
        "no such method",
        404,
        False,
        "Register a handler with `@app.on(name)`, or check the spelling.",
    ),
    ErrorCode.BAD_REQUEST: ErrorInfo(
        "bad_request", "bad request", 400, False, "Fix the command; the message names the part that is wrong."
    ),
    ErrorCode.INVALID_DATA: ErrorInfo(
        "invalid_data",
        "data is not acceptable JSON",
        400,
        False,
        "Send strict JSON: UTF-8, finite numbers, no duplicate keys, within the depth and key limits.",
    ),
    ErrorCode.VALIDATION_FAILED: ErrorInfo(
        "validation_failed", "validation failed", 422, False, "The `field` of the error names what to change."
    ),
    ErrorCode.INVALID_CHANNEL: ErrorInfo(
        "invalid_channel",
        "invalid channel name",
        400,
        False,
        "Use letters, digits and `_-.:@/=+,~` and at most `limits.channel_length` characters.",
    ),
    ErrorCode.MESSAGE_TOO_LARGE: ErrorInfo(
        "message_too_large",
        "message too large",
        413,
        False,
        "Send less, or raise `limits.message_bytes`.",
    ),
    ErrorCode.ALREADY_SUBSCRIBED: ErrorInfo(
        "already_subscribed", "already subscribed", 409, False, "Unsubscribe first to change the options."
    ),
    ErrorCode.NOT_SUBSCRIBED: ErrorInfo(
        "not_subscribed", "not subscribed", 409, False, "Subscribe to the channel first."
    ),
    ErrorCode.ALREADY_CONNECTED: ErrorInfo(
        "already_connected",
        "already connected",
        409,
        False,
        "Send `connect` once; use `refresh` for a new token.",
    ),
    ErrorCode.LIMIT_EXCEEDED: ErrorInfo(
        "limit_exceeded", "limit exceeded", 422, False, "The message names the limit and its value."
    ),
    ErrorCode.RATE_LIMITED: ErrorInfo(
        "rate_limited", "too many commands", 429, True, "Wait `retry_after` seconds, then try again."
    ),
    ErrorCode.IDEMPOTENCY_CONFLICT: ErrorInfo(
        "idempotency_conflict",
        "the key was used with another body",
        422,
        False,
        "Make a new key for a new message; repeat a key only with the same message.",
    ),
    ErrorCode.NOT_AVAILABLE: ErrorInfo(
        "not_available",
        "not available in this namespace",
        403,
        False,
        "Turn the feature on in the namespace's options.",
    ),
    ErrorCode.SESSION_GONE: ErrorInfo(
        "session_gone",
        "the session is gone",
        410,
        False,
        "Connect with a token and subscribe again with the last positions that you have.",
    ),
    ErrorCode.DRAINING: ErrorInfo(
        "draining", "the server is shutting down", 503, True, "Reconnect after `retry_after` seconds."
    ),
    ErrorCode.TIMEOUT: ErrorInfo("timeout", "timed out", 504, True, "Try again."),
    ErrorCode.CONNECTION_LIMIT: ErrorInfo(
        "connection_limit",
        "too many connections",
        503,
        True,
        "Reconnect after `retry_after` seconds; operators: see `limits.connections*`.",
    ),
    ErrorCode.ORIGIN_REFUSED: ErrorInfo(
        "origin_refused",
        "origin not allowed",
        403,
        False,
        "Add the page's origin to `server.allowed_origins`.",
    ),
    ErrorCode.TICKET_INVALID: ErrorInfo(
        "ticket_invalid",
        "ticket is unknown, used or expired",
        401,
        False,
        "Get a new ticket with `POST /v1/tickets`; each works once.",
    ),
    ErrorCode.METHOD_NOT_ALLOWED: ErrorInfo(
        "method_not_allowed",
        "method not allowed",
        405,
        False,
        "Use one of the HTTP methods that the `Allow` header names.",
    ),
    ErrorCode.STORE_UNAVAILABLE: ErrorInfo(
        "store_unavailable",
        "the database does not answer",
        503,
        True,
        "Nothing was written unless the message says that this is unknown. Repeat with the same idempotency key.",
    ),
    ErrorCode.STORE_FULL: ErrorInfo(
        "store_full",
        "the database has no room left",
        507,
        True,
        "Nothing was written; reading goes on. Make room on the disk: the server writes again without a restart.",
    ),
    ErrorCode.CONFLICT: ErrorInfo(
        "conflict",
        "not possible as things stand",
        409,
        False,
        "The message says what stands against it; read the present state and decide anew.",
    ),
    ErrorCode.CONVERSATION_CLOSED: ErrorInfo(
        "conversation_closed",
        "the conversation is closed",
        409,
        False,
        "Nobody writes there until an admin opens it again.",
    ),
    ErrorCode.MESSAGE_DELETED: ErrorInfo(
        "message_deleted",
        "the message was deleted",
        409,
        False,
        "Nothing can be done with a deleted message.",
    ),
    ErrorCode.BROKER_UNAVAILABLE: ErrorInfo(
        "broker_unavailable",
        "what carries messages between nodes does not answer",
        503,
        True,
        "Repeat with the same idempotency key: whether it was published is not known.",
    ),
    ErrorCode.NODE_UNAVAILABLE: ErrorInfo(
        "node_unavailable", "the node that has it does not answer", 503, True, "Try again in a second."
    ),
    ErrorCode.OVERLOADED: ErrorInfo(
        "overloaded", "too much load", 503, True, "Try again after `retry_after` seconds."
    ),
    ErrorCode.RESTRICTED: ErrorInfo(
        "restricted",
        "you are muted or banned here",
        403,
        False,
        "The message says until when; `me.restrictions` has all, and decisions can be appealed.",
    ),
    ErrorCode.REJECTED: ErrorInfo(
        "rejected",
        "refused by a rule of moderation",
        422,
        False,
        "Write it otherwise. Operators: `moderation.try` says which rule it was.",
    ),
    ErrorCode.SLOW_MODE: ErrorInfo(
        "slow_mode", "too soon: the conversation is in slow mode", 429, True, "Wait `retry_after` seconds."
    ),
    ErrorCode.UPLOAD_CONFLICT: ErrorInfo(
        "upload_conflict",
        "the upload is not where you think",
        409,
        False,
        "Ask with HEAD for its offset, and go on from there.",
    ),
    ErrorCode.FILE_REFUSED: ErrorInfo(
        "file_refused",
        "files like this are not taken",
        415,
        False,
        "The message says why: its type by content, its dimensions, or what a scan has found.",
    ),
    ErrorCode.QUOTA_EXCEEDED: ErrorInfo(
        "quota_exceeded",
        "no room left in your quota",
        413,
        False,
        "Delete files, or raise `attachments.quota_bytes` and `attachments.quota_files`.",
    ),
    ErrorCode.MODERATION_UNAVAILABLE: ErrorInfo(
        "moderation_unavailable",
        "the message could not be checked",
        503,
        True,
        "Send it again with the same key. Operators: `moderation.hook_failure` says what happens then.",
    ),
    ErrorCode.LEGAL_HOLD: ErrorInfo(
        "legal_hold",
        "kept by a legal hold",
        409,
        False,
        "Release the hold first, if you may.",
    ),
    ErrorCode.EGRESS_REFUSED: ErrorInfo(
        "egress_refused",
        "the server does not fetch from there",
        422,
        False,
        "Give a public http or https URL on a usual port.",
    ),
}


class HubbubError(Exception):
    """A refusal with a number. Raise it from handlers and policies; every transport knows how to say it.

    `field` names the offending field in dotted form (`data.price`); `retry_after` is in seconds.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str = "",
        *,
        field: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.code = code
        self.message = message or ERRORS[code].text
        self.field = field
        self.retry_after = retry_after
        super().__init__(self.message)

    @property
    def info(self) -> ErrorInfo:
        return ERRORS[self.code]

    def __str__(self) -> str:
        return f"{self.message} ({self.info.name}, {int(self.code)})"


class ConfigError(Exception):
    """A setting is missing or wrong; the message says which and how to set it."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """A numbered reason for ending a connection, with the reconnect policy that its range means."""

    code: int
    name: str
    text: str
    advice: str

    @property
    def reconnect(self) -> bool:
        """Whether the client may come back by itself."""
        return 3000 <= self.code < 3500 or self.code in (1001, 1006, 1011, 1012, 1013)

    @property
    def resumable(self) -> bool:
        """Whether the session is kept for the resume window."""
        return self.code != 1000 and self.code < 3400


class ProtocolError(HubbubError):
    """The only exception that a Codec raises: the peer broke its protocol and the connection must end.

    `commands` are the whole ones that came before the fault in the same data; `close` is how to end.
    """

    def __init__(
        self, message: str, *, code: ErrorCode = ErrorCode.BAD_REQUEST, commands: Sequence[Any] = ()
    ) -> None:
        super().__init__(code, message)
        self.commands = commands


def _disconnect(code: int, name: str, text: str, advice: str) -> Disconnect:
    row = Disconnect(code, name, text, advice)
    DISCONNECTS[code] = row
    return row


DISCONNECTS: dict[int, Disconnect] = {}

# RFC 6455, section 7.4.1: the WebSocket layer's own.
NORMAL = _disconnect(1000, "normal", "closed by the client", "Nothing: the client asked for it.")
GOING_AWAY = _disconnect(1001, "going_away", "the peer is going away", "Reconnect and resume.")
PROTOCOL_ERROR = _disconnect(1002, "protocol_error", "WebSocket protocol error", "Fix the client's framing.")
UNSUPPORTED_DATA = _disconnect(
    1003, "unsupported_data", "unsupported data", "Send the subprotocol's frame type."
)
ABNORMAL = _disconnect(1006, "abnormal", "connection lost", "Reconnect and resume. Never on the wire.")
INVALID_UTF8 = _disconnect(1007, "invalid_utf8", "text is not UTF-8", "Send UTF-8 in text frames.")
TOO_LARGE = _disconnect(
    1009,
    "too_large",
    "message too large",
    "Keep within `limits.message_bytes`, with Socket.IO `limits.packet_bytes`.",
)

# 3000-3399: come back and resume.
DRAIN = _disconnect(3000, "drain", "the server is shutting down", "Reconnect after the advised delay.")
NO_PONG = _disconnect(3001, "no_pong", "the peer did not answer a ping", "Reconnect and resume.")
SLOW = _disconnect(
    3002,
    "slow",
    "the peer reads too slowly",
    "Reconnect and resume; read faster or subscribe to less (`limits.queue_bytes`, `limits.write_timeout`).",
)
INSUFFICIENT_STATE = _disconnect(
    3003, "insufficient_state", "a gap could not be healed", "Reconnect; recovery says what was lost."
)
SERVER_ERROR = _disconnect(3004, "server_error", "internal error", "Reconnect with back-off.")
CONNECT_TIMEOUT = _disconnect(
    3005,
    "connect_timeout",
    "not authenticated in time",
    "Send `connect` at once (`limits.handshake_timeout`).",
)
OVERLOAD = _disconnect(
    3006,
    "overload",
    "too much load",
    "Reconnect after the `retry_after` of the error before it (`load.handshake_rate`).",
)
# 3400-3499: come back, with a new session.
EXPIRED = _disconnect(3400, "expired", "the token has expired", "Fetch a new token, then reconnect.")

# 3500-3999: do not come back before something has changed.
BAD_COMMAND = _disconnect(3500, "bad_command", "a command could not be read", "Fix the client.")
AUTH_FAILED = _disconnect(3501, "auth_failed", "authentication failed", "Get a valid token.")
FORCED = _disconnect(3502, "forced", "disconnected by the server", "Ask the application why.")
REVOKED = _disconnect(3503, "revoked", "access was revoked", "Sign in again.")
REPLACED = _disconnect(3504, "replaced", "the session was resumed elsewhere", "Use the newer connection.")
FLOOD = _disconnect(
    3505, "flood", "too many frames", "Slow down (`limits.control_rate`, `limits.error_burst`)."
)
USER_LIMIT = _disconnect(
    3506,
    "user_limit",
    "too many connections of this user",
    "Close another one (`limits.connections_per_user`).",
)


def reason(code: int) -> Disconnect:
    """The table's row for `code`, or a new one for an application's own code (4000-4999)."""
    return DISCONNECTS.get(code) or Disconnect(code, "custom", "closed", "Ask the application.")
