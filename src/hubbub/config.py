"""Every setting: one typed tree, a description per field; file < environment < flags; one `validate()`.

`hubbub config doc` and the reference page are generated from this file. Environment variables are
`HUBBUB_<SECTION>__<FIELD>` (`HUBBUB_AUTH__HMAC_SECRET`); the file is TOML with the same names.
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from hubbub.errors import ConfigError

Who = Literal["anyone", "authenticated", "permitted", "nobody"]
Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
LOCAL_NAMES = ("localhost", "")
DEV_SECRET_BYTES = 32


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
    playground: bool = Field(False, description="Serve the playground page at `/` (on in `--dev`).")
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
    connections_per_user: Count = Field(100, description="Sessions of one user.")
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
        200.0, description="Commands a second of one session, sustained; 0 means no limit."
    )
    command_burst: Count = Field(1_000, description="Commands that a session may send at once.")
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
    call_timeout: Seconds = Field(30.0, description="Seconds that a handler may take.")
    reserved_descriptors: Count = Field(
        64,
        description="File descriptors kept free of clients, so that health and metrics answer at the limit.",
    )


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


class Config(BaseSettings):
    """The root of the tree."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="HUBBUB_", env_nested_delimiter="__", case_sensitive=False
    )

    dev: bool = Field(False, description="Development: a secret is made up, everything is open to loopback.")
    server: ServerConfig = Field(default_factory=ServerConfig, description="Listening.")
    auth: AuthConfig = Field(default_factory=AuthConfig, description="Authentication.")
    sessions: SessionsConfig = Field(default_factory=SessionsConfig, description="Sessions.")
    limits: LimitsConfig = Field(default_factory=LimitsConfig, description="Limits.")
    heartbeat: HeartbeatConfig = Field(default_factory=HeartbeatConfig, description="Heartbeats.")
    compression: CompressionConfig = Field(default_factory=CompressionConfig, description="Compression.")
    broker: BrokerConfig = Field(default_factory=BrokerConfig, description="Broker.")
    telemetry: TelemetryConfig = Field(default_factory=TelemetryConfig, description="Telemetry.")
    default: NamespaceConfig = Field(
        default_factory=NamespaceConfig, description="Options of channels in no configured namespace."
    )
    namespaces: dict[str, NamespaceConfig] = Field(
        default_factory=dict,
        description="Options by namespace, the part of a channel's name before the first colon.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # Flags win over the environment; `load` merges the file below the environment itself, for good messages.
        return (init_settings, env_settings, _FileSource(settings_cls))

    def namespace(self, channel: str) -> NamespaceConfig:
        """The options of `channel`'s namespace."""
        name, colon, _ = channel.partition(":")
        return self.namespaces.get(name, self.default) if colon else self.default

    @property
    def loopback(self) -> bool:
        if self.server.host in LOCAL_NAMES:
            return self.server.host == "localhost"
        try:
            return ipaddress.ip_address(self.server.host).is_loopback
        except ValueError:
            return False


class _FileSource(PydanticBaseSettingsSource):
    """The TOML file's values, as the lowest source."""

    values: Mapping[str, Any] = {}

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return self.values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(self.values)


def load(path: Path | None = None, **flags: Any) -> Config:
    """Read and check the settings. `path` defaults to `hubbub.toml` here, if there is one.

    Raises ConfigError, whose message names each wrong setting and where it came from.
    """
    values: Mapping[str, Any] = {}
    source = path or Path("hubbub.toml")
    if path is not None or source.exists():
        try:
            values = tomllib.loads(source.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"cannot read {source}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{source} is not TOML: {error}") from error
    _FileSource.values = values
    try:
        config = Config(**flags)
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}"
            for e in error.errors(include_url=False)
        ]
        raise ConfigError("wrong settings:\n  " + "\n  ".join(lines)) from error
    finally:
        _FileSource.values = {}
    return config


_chosen: ContextVar[Config | None] = ContextVar("chosen", default=None)


@contextmanager
def chosen(config: Config) -> Iterator[None]:
    """Inside, a `Hubbub()` without a config gets this one: how flags reach `hubbub serve shop:app`."""
    token = _chosen.set(config)
    try:
        yield
    finally:
        _chosen.reset(token)


def current() -> Config:
    """The settings for a `Hubbub()` that is given none: those chosen on the command line, else what `load` finds."""
    return _chosen.get() or load()


def development(config: Config, secret: str) -> Config:
    """What `--dev` changes: a given secret, open namespaces with a log and presence, the playground."""
    auth = config.auth
    if auth.hmac_secret is None:
        auth = auth.model_copy(update={"hmac_secret": SecretStr(secret)})
    chosen = {name: getattr(config.default, name) for name in config.default.model_fields_set}
    full = chosen.get("presence", "full") == "full"
    default = NamespaceConfig(
        retention=100, subscribe="authenticated", publish="authenticated", presence="full", join_leave=full
    ).model_copy(update=chosen)
    server = config.server.model_copy(update={"playground": True})
    return config.model_copy(update={"dev": True, "auth": auth, "default": default, "server": server})


def authenticates(config: Config) -> bool:
    """Whether there is any way to verify a token."""
    auth = config.auth
    return bool(auth.hmac_secret or auth.public_keys or auth.jwks_file or auth.jwks_url)


def validate(config: Config, *, tokens: bool = True) -> None:
    """All rules that concern more than one field, in one place. Raises ConfigError with every fault found.

    `tokens=False`: a Policy of the application's own decides who comes in, so that no key is needed here.
    """
    faults: list[str] = []
    auth, server = config.auth, config.server
    if tokens and not authenticates(config):
        faults.append(
            "auth.hmac_secret is not set, so no token could be verified. Make a secret with "
            "`hubbub token --new-secret` and set HUBBUB_AUTH__HMAC_SECRET (or auth.public_keys, auth.jwks_file or "
            "auth.jwks_url for asymmetric keys); to try things out, use `hubbub serve --dev`."
        )
    if auth.hmac_secret is not None and len(auth.hmac_secret.get_secret_value().encode()) < 32:
        faults.append("auth.hmac_secret is shorter than 32 bytes; make one with `hubbub token --new-secret`.")
    if not config.loopback and config.dev:
        faults.append(
            f"--dev opens everything and may only listen on loopback, not on {server.host}; drop --dev and set "
            "auth.hmac_secret, or listen on 127.0.0.1."
        )
    if not config.loopback and auth.anonymous:
        faults.extend(
            f"anonymous clients may publish from other machines: set {name}.publish to authenticated."
            for name, options in _namespaces(config)
            if options.publish == "anyone"
        )
    if (server.tls_certificate is None) != (server.tls_key is None):
        faults.append("server.tls_certificate and server.tls_key go together: set both or none.")
    for name, path in (
        ("server.tls_certificate", server.tls_certificate),
        ("server.tls_key", server.tls_key),
    ):
        if path is not None and not path.is_file():
            faults.append(f"{name}: there is no file {path}.")
    if auth.jwks_url is not None and not _is_safe_source(auth.jwks_url):
        faults.append(
            "auth.jwks_url must be https (or http on loopback): keys fetched in the clear can be replaced."
        )
    faults.extend(
        f"auth.api_keys: {key[:12]!r}... is not a hash; make a pair with `hubbub token --api-key`."
        for key in auth.api_keys
        if not key.startswith("sha256:")
    )
    for network in server.trusted_proxies:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            faults.append(f"server.trusted_proxies: {network!r} is neither an address nor a network.")
    faults.extend(
        f"server.allowed_origins: {origin!r} is not an origin; write it as https://app.example.com."
        for origin in server.allowed_origins
        if origin != "*" and "://" not in origin
    )
    for name, options in _namespaces(config):
        if options.join_leave and options.presence != "full":
            faults.append(f'{name}: join_leave needs presence = "full".')
        if options.conflate and not options.retention:
            faults.append(f"{name}: conflate needs a retention to keep the latest values in.")
    faults.extend(
        f"namespaces: {name!r} matches no channel; a namespace is what stands before a name's first colon."
        for name in config.namespaces
        if not name or ":" in name
    )
    if faults:
        raise ConfigError("\n".join(faults))


def _namespaces(config: Config) -> list[tuple[str, NamespaceConfig]]:
    """All namespaces' options with the names of their sections."""
    named = [(f"namespaces.{name}", options) for name, options in config.namespaces.items()]
    return [("default", config.default), *named]


def _is_safe_source(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and host in ("127.0.0.1", "localhost", "::1"))
    )
