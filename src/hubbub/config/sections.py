"""The sections of the settings, a description per field. `hubbub config doc` and the reference are made from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr

Who = Literal["anyone", "authenticated", "permitted", "nobody"]
Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerConfig(Section):
    """Where the server listens and whom it trusts."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    tls_certificate: Path | None = Field(
        None, description="PEM file with the certificate chain; turns TLS on."
    )
    tls_key: Path | None = Field(None, description="PEM file with the certificate's private key.")
    allowed_origins: tuple[str, ...] = Field(
        (),
        description="Origins of pages that may connect and call the API (`https://app.example.com`). The server's "
        "own origin is always allowed; `*` allows every page, for APIs that only tokens protect.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses or networks whose `X-Forwarded-For` and `-Proto` headers are believed."
    )
    backlog: Count = Field(4096, description="Connections that the kernel may hold before they are accepted.")
    drain_window: Seconds = Field(
        10.0, description="Seconds over which clients are sent away when the server stops."
    )
    playground: bool = Field(
        False,
        description="Have the web app's developer page for whoever comes, signed in or not (on in `--dev`).",
    )
    docs: bool = Field(True, description="Serve the API reference at `/docs`.")


class AuthConfig(Section):
    """Who may come in."""

    hmac_secret: SecretStr | None = Field(
        None,
        description="Secret for HS256/384/512 tokens, at least 32 bytes. Make one with `hubbub token --new-secret`.",
    )
    public_keys: dict[str, Path] = Field(
        default_factory=dict,
        description="Key id to PEM file, for RS, ES and EdDSA tokens. Re-read on SIGHUP.",
    )
    jwks_file: Path | None = Field(None, description="JSON Web Key Set on disk. Re-read on SIGHUP.")
    jwks_url: str | None = Field(
        None, description="JSON Web Key Set by HTTPS, fetched at start and when it turns stale."
    )
    jwks_refresh: Seconds = Field(
        300.0, description="Seconds after which the key set at `jwks_url` is fetched again."
    )
    algorithms: tuple[str, ...] = Field(
        ("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "EdDSA"),
        description="Signature algorithms that are accepted. Each key takes only those of its own type.",
    )
    audience: str | None = Field(None, description="Required `aud` of tokens.")
    issuer: str | None = Field(None, description="Required `iss` of tokens.")
    leeway: Seconds = Field(30.0, le=300, description="Clock skew in seconds that is forgiven.")
    max_lifetime: Seconds = Field(30 * 86400.0, description="Longest `exp - iat` of a token in seconds.")
    token_bytes: Count = Field(8192, description="Longest token in bytes.")
    expiry_grace: Seconds = Field(
        25.0, description="Seconds after expiry in which `refresh` still saves the session."
    )
    anonymous: bool = Field(
        False, description="Let clients connect without a token, as a user with an empty id."
    )
    api_keys: tuple[str, ...] = Field(
        (),
        description="Hashes of the keys for the server API (`sha256:...`). Make a pair with `hubbub token --api-key`.",
    )
    ticket_ttl: Seconds = Field(
        30.0, le=300, description="Seconds in which a one-use ticket for `EventSource` is valid."
    )
    cache_size: Count = Field(20_000, description="Verified tokens that are remembered until they expire.")


class SessionsConfig(Section):
    """How long sessions outlive their connections."""

    resume_window: Seconds = Field(60.0, description="Seconds in which a dropped session can be resumed.")
    pending_bytes: Count = Field(
        262_144, description="Bytes of direct pushes kept for a dropped session until it is back."
    )
    presence_grace: Seconds = Field(
        3.0,
        description="Seconds for which a dropped session stays present, so that a short break is not seen.",
    )


class LimitsConfig(Section):
    """What one client, and all together, may use."""

    connections: Count = Field(18_000, description="Connections of this node; further ones get HTTP 503.")
    connections_per_user: Count = Field(100, description="Sessions of one user, on all nodes together.")
    connections_per_ip: Count = Field(
        2_000, description="Connections from one address (loopback is exempt in `--dev`)."
    )
    unauthenticated: Count = Field(2_000, description="Connections that have not authenticated yet.")
    handshake_timeout: Seconds = Field(
        5.0, description="Seconds from accept to authenticated, and for the head of each HTTP request."
    )
    header_bytes: Count = Field(16_384, description="Bytes of an HTTP request's line and headers.")
    headers: Count = Field(100, description="Headers of an HTTP request.")
    message_bytes: Count = Field(65_536, description="Bytes of one message from a client, after inflating.")
    body_bytes: Count = Field(1_048_576, description="Bytes of one HTTP request body (batches).")
    batch: Count = Field(
        1_000, description="Items of one batch, channels of one broadcast, commands in one frame."
    )
    subscriptions: Count = Field(128, description="Channels a session may be in.")
    channel_length: Count = Field(255, description="Characters of a channel name.")
    channels: Count = Field(1_000_000, description="Channels of this node that have subscribers.")
    key_length: Count = Field(
        128, description="Characters of an idempotency or conflation key, and of an event name."
    )
    json_depth: Count = Field(32, description="Nesting of `data` and `params`.")
    json_keys: Count = Field(256, description="Object keys in `data` or `params`, all levels together.")
    command_rate: Seconds = Field(
        200.0,
        description="Commands a second of one session, sustained; 0 means no limit. Socket.IO events above it wait.",
    )
    command_burst: Count = Field(1_000, description="Commands that a session may send at once.")
    user_command_rate: Seconds = Field(
        0.0,
        description="Commands a second of all sessions of one user together; 0 means no limit. See "
        "`cluster.shared_rates`.",
    )
    user_command_burst: Count = Field(
        5_000, description="Commands that all sessions of a user may send at once."
    )
    publish_rate: Seconds = Field(
        100.0, description="Publishes a second of one session, sustained; 0 means no limit."
    )
    publish_burst: Count = Field(500, description="Publishes that a session may send at once.")
    subscribe_rate: Seconds = Field(
        50.0, description="Subscribes a second of one session, sustained; 0 means no limit."
    )
    subscribe_burst: Count = Field(256, description="Subscribes that a session may send at once.")
    control_rate: Seconds = Field(
        20.0, description="WebSocket control frames a second; more end the connection."
    )
    control_burst: Count = Field(100, description="WebSocket control frames that may come at once.")
    error_burst: Count = Field(
        100, description="Refused commands in 10 s after which a connection is ended (3505)."
    )
    fragments: Count = Field(128, description="Fragments of one WebSocket message.")
    pending_commands: Count = Field(
        64, description="Commands waiting behind a slow one before reading is paused."
    )
    queue_bytes: Count = Field(
        1_048_576, description="Bytes queued to one client before it is ended as slow (3002)."
    )
    write_timeout: Seconds = Field(
        10.0, description="Seconds without progress in writing before a client is ended as slow."
    )
    history: Count = Field(1_000, description="Publications in one history or recovery answer.")
    history_bytes: Count = Field(
        4_194_304,
        description="Bytes of `data` in one history or recovery answer; a longer recovery is a gap.",
    )
    packet_bytes: Count = Field(
        1_000_000,
        description="Bytes of one packet of a Socket.IO client, and of one body of its long-polling (`maxPayload`).",
    )
    packets: Count = Field(10_000, description="Packets in one body of a Socket.IO client's long-polling.")
    attachments: Count = Field(10, description="Binary attachments of one Socket.IO packet.")
    attachment_bytes: Count = Field(
        4_000_000, description="Bytes of all binary attachments of one Socket.IO packet."
    )
    socketio_namespaces: Count = Field(16, description="Socket.IO namespaces that a connection may be in.")
    namespace_length: Count = Field(128, description="Characters of a Socket.IO namespace's name.")
    pending_acks: Count = Field(
        1_000, description="Acknowledgements that the server may await of one Socket.IO client."
    )
    recovery_bytes: Count = Field(
        67_108_864,
        description="Bytes of events kept for the recovery of all Socket.IO connections; the oldest go first.",
    )
    pending_writes: Count = Field(
        10_000, description="Writes to the store that may wait at once; further ones are refused."
    )
    text_length: Count = Field(10_000, description="Code points of a message's text parts together, in NFC.")
    text_bytes: Count = Field(40_000, description="The same in bytes of UTF-8.")
    parts: Count = Field(20, description="Parts of a message.")
    part_bytes: Count = Field(32_768, description="Bytes of a part that is not text, as JSON.")
    mentions: Count = Field(50, description="Users that one message mentions by name.")
    name_length: Count = Field(100, description="Code points of a user's or conversation's name.")
    topic_length: Count = Field(1_000, description="Code points of a conversation's topic.")
    custom_bytes: Count = Field(8_192, description="Bytes of the custom JSON of a user or conversation.")
    members: Count = Field(
        100_000, description="Members of one conversation; topics are open to any number of readers."
    )
    invitees: Count = Field(100, description="Members that one call may add or invite.")
    reactions: Count = Field(50, description="Different reactions on one message.")
    reaction_length: Count = Field(64, description="Code points of a reaction's name.")
    page: Count = Field(200, description="Items in one page of a list.")
    query_length: Count = Field(256, description="Code points of a search query.")
    presence_follows: Count = Field(500, description="Users whose presence one session may follow.")
    marks: Count = Field(100, description="Conversations that one call may mark as read or delivered.")
    poll_options: Count = Field(20, description="Options of a poll.")
    option_length: Count = Field(
        200, description="Code points of an option, an item, a button's label or a field of a card."
    )
    checklist_items: Count = Field(100, description="Items of a checklist.")
    card_actions: Count = Field(20, description="Buttons and inputs of a card.")
    card_bytes: Count = Field(16_384, description="Bytes of a card, as JSON.")
    pins: Count = Field(100, description="Pinned messages of one conversation.")
    bookmarks: Count = Field(10_000, description="Bookmarks of one user.")
    note_length: Count = Field(1_000, description="Code points of a note: on a bookmark, a report, a case.")
    drafts: Count = Field(1_000, description="Drafts of one user.")
    scheduled: Count = Field(100, description="Messages that one user may have scheduled at once.")
    reminders: Count = Field(200, description="Reminders that one user may have at once.")
    schedule_ahead: Seconds = Field(
        366 * 86400.0, description="Seconds ahead for which something may be scheduled, or set to expire."
    )
    forwards: Count = Field(20, description="Conversations to which one call may forward a message.")
    commands: Count = Field(500, description="Slash commands of all programs together.")
    emoji: Count = Field(5_000, description="Custom emoji.")
    groups: Count = Field(1_000, description="Groups of users that can be mentioned.")
    group_members: Count = Field(1_000, description="Users in one such group.")
    links: Count = Field(5, description="Links of a message of which previews are made.")
    reports_rate: Seconds = Field(
        0.02, description="Reports a second of one user, sustained; 0 means no limit."
    )
    reports_burst: Count = Field(20, description="Reports that one user may make at once.")
    rules: Count = Field(200, description="Rules of moderation.")
    patterns: Count = Field(200, description="Patterns in all rules together.")
    pattern_length: Count = Field(1_000, description="Characters of a pattern.")
    blocklist_words: Count = Field(100_000, description="Words of all block lists together.")
    samples: Count = Field(10_000, description="Samples in a policy test set.")
    call_timeout: Seconds = Field(30.0, description="Seconds that a handler may take.")
    reserved_descriptors: Count = Field(
        64,
        description="File descriptors kept free of clients, so that health and metrics answer at the limit.",
    )
    _page_now: int | None = PrivateAttr(None)

    @property
    def page_now(self) -> int:
        """Items that one page of a list is given just now: `page`, or less while there is too much load."""
        return self.page if self._page_now is None else self._page_now

    def with_pages_of(self, items: int) -> LimitsConfig:
        """The same limits, but for `page_now`: to ask for more is no error."""
        limits = self.model_copy()
        limits._page_now = items
        return limits


class HeartbeatConfig(Section):
    """How dead peers are found: at the latest after `ping_interval + ping_timeout` seconds."""

    ping_interval: Seconds = Field(
        6.0, description="Seconds of silence after which the server pings; 0 turns it off."
    )
    ping_timeout: Seconds = Field(3.0, description="Seconds in which any byte must come after a ping.")
    sse_comment: Seconds = Field(6.0, description="Seconds between comments on a silent SSE stream.")
    poll_timeout: Seconds = Field(25.0, description="Longest time in seconds that a long-poll waits.")


class CompressionConfig(Section):
    """permessage-deflate (RFC 7692) without context take-over, so that one frame serves all."""

    enabled: bool = Field(False, description="Offer permessage-deflate to clients that ask for it.")
    minimum: Count = Field(1_024, description="Smallest message in bytes that is worth compressing.")
    level: int = Field(6, ge=1, le=9, description="zlib level.")


class NamespaceConfig(Section):
    """What the channels `<namespace>:...` do. The top-level `default` is for all others."""

    retention: Count = Field(0, description="Publications kept for history and recovery; 0 keeps no log.")
    ttl: Seconds = Field(300.0, description="Seconds for which publications are kept.")
    subscribe: Who = Field(
        "permitted",
        description="Who may subscribe: anyone, authenticated, permitted (by token, subscription token or Policy), "
        "nobody.",
    )
    publish: Who = Field("permitted", description="Which clients may publish; the server API always may.")
    history: Who = Field("permitted", description="Who may read history; subscribers always may.")
    presence: Literal["off", "count", "full"] = Field(
        "off", description="Keep who is there: not, as counts, or in full."
    )
    join_leave: bool = Field(
        False, description="Push `join` and `leave` to subscribers (needs presence = full)."
    )
    presence_limit: Count = Field(
        1_000, description="Sessions above which presence gives counts only and join/leave are not pushed."
    )
    conflate: bool = Field(
        False, description="Keep and deliver only the latest publication for each conflation key."
    )
    conflate_interval: Seconds = Field(
        0.1, description="Seconds between deliveries of one key when conflating."
    )


class SocketIoConfig(Section):
    """Socket.IO: protocol v5 over Engine.IO v4."""

    enabled: bool = Field(True, description="Serve Socket.IO clients.")
    path: str = Field("/socket.io/", description="Path of the endpoint, with a slash at both ends.")
    transports: tuple[Literal["polling", "websocket"], ...] = Field(
        ("polling", "websocket"), description="Transports that clients may use."
    )
    upgrades: bool = Field(True, description="Let clients go from polling to WebSocket.")
    parser: Literal["json", "msgpack"] = Field(
        "json",
        description="What packets look like: `json`, or `msgpack` for clients with socket.io-msgpack-parser.",
    )
    ping_interval: Seconds = Field(25.0, gt=0, description="Seconds between the server's pings.")
    ping_timeout: Seconds = Field(20.0, gt=0, description="Seconds in which a ping must be answered.")
    upgrade_timeout: Seconds = Field(10.0, description="Seconds in which a begun upgrade must be completed.")
    http_compression: bool = Field(True, description="Compress polling answers for clients that accept it.")
    http_compression_minimum: Count = Field(
        1_024, description="Smallest polling answer in bytes that is worth compressing."
    )
    recovery: Literal["auto", "always", "never"] = Field(
        "auto",
        description="For whom events carry an offset, as connection state recovery needs: `auto` means the "
        "JavaScript client, which alone understands it; others would get an argument too many.",
    )
    recovery_window: Seconds = Field(
        120.0, description="Seconds in which a dropped connection's state can be recovered; 0 turns it off."
    )
    rooms: dict[str, str] = Field(
        default_factory=dict,
        description="Which rooms are channels: namespace (with `*` for any characters) to the template of a channel's "
        'name with `{room}` and `{namespace}`, as in `{"/orders" = "orders:{room}"}`. Other rooms stay private.',
    )
    everyone: dict[str, str] = Field(
        default_factory=dict,
        description="Which namespaces as a whole are channels: namespace to the template of a channel's name, as in "
        '`{"/news" = "news"}`.',
    )
    arguments: Literal["one", "spread"] = Field(
        "one",
        description="How `data` of publications from elsewhere becomes arguments: `one` argument, or `spread`, which "
        "makes an argument of each item of an array.",
    )
    commands: bool = Field(
        True,
        description="Answer the events `hubbub:subscribe`, `hubbub:publish` and so on: the native protocol's commands.",
    )


class BrokerConfig(Section):
    """What carries publications and keeps channel logs."""

    type: str = Field("memory", description="Name of a registered broker.")
    snapshot: Path | None = Field(
        None,
        description="File to which the memory broker writes its logs when the server stops, and from which it takes "
        "them up again at the next start. What a killed server held is not in it.",
    )
    idempotency_ttl: Seconds = Field(300.0, description="Seconds for which idempotency keys are remembered.")
    idempotency_keys: Count = Field(
        100_000, description="Idempotency keys remembered at once; the oldest go first."
    )
    logs: Count = Field(100_000, description="Channel logs kept at once; the longest idle go first.")
    head_check: Seconds = Field(5.0, description="Seconds between checks that idle channels missed nothing.")


class StorageConfig(Section):
    """Where conversations are kept."""

    url: SecretStr = Field(
        SecretStr("sqlite:///hubbub.db"),
        description="Database: `sqlite:///file` (three slashes for a path from here, four for one from the root) or "
        "`postgresql://user:password@host/database`.",
    )
    batch: Count = Field(512, ge=1, description="Writes that one transaction takes at most.")
    batch_delay: Seconds = Field(
        0.002,
        le=0.1,
        description="Seconds that a transaction waits for further writes to join it, if the one before had several.",
    )
    timeout: Seconds = Field(5.0, gt=0, description="Seconds in which the database must have answered.")
    readers: Count = Field(2, ge=1, description="Connections for reading.")
    writers: Count = Field(
        2, ge=1, description="Connections for writing (PostgreSQL; SQLite has one, which checkpoints too)."
    )
    reserve_bytes: Count = Field(
        1_048_576,
        description="Bytes of a file beside a SQLite database that is given up when the disk is full, so that the "
        "database can still be tidied.",
    )
    notify: bool = Field(
        True, description="Tell other nodes of writes by NOTIFY (PostgreSQL), until a broker does it."
    )


class TelemetryConfig(Section):
    """What operators see."""

    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto is console on a terminal."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severity logged."
    )
    metrics: Literal["local", "key", "public", "off"] = Field(
        "local",
        description="Who may read /metrics: loopback only, any API key (and loopback), everybody, nobody.",
    )
