"""Every setting: one typed tree, a description per field; file < environment < flags; one `validate()`.

`hubbub config doc` and the reference page are generated from it. Environment variables are
`HUBBUB_<SECTION>__<FIELD>` (`HUBBUB_AUTH__HMAC_SECRET`); the file is TOML with the same names.
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from hubbub.config.chat import (
    AttachmentsConfig,
    ChatConfig,
    ModerationConfig,
    PreviewsConfig,
    RetentionConfig,
)
from hubbub.config.cluster import ClusterConfig, LoadConfig, NatsConfig, RedisConfig
from hubbub.config.sections import (
    AuthConfig,
    BrokerConfig,
    CompressionConfig,
    HeartbeatConfig,
    LimitsConfig,
    NamespaceConfig,
    ServerConfig,
    SessionsConfig,
    SocketIoConfig,
    StorageConfig,
    TelemetryConfig,
    Who,
)
from hubbub.config.web import WebConfig
from hubbub.errors import ConfigError

__all__ = [
    "AttachmentsConfig",
    "AuthConfig",
    "BrokerConfig",
    "ChatConfig",
    "ClusterConfig",
    "CompressionConfig",
    "Config",
    "HeartbeatConfig",
    "LimitsConfig",
    "LoadConfig",
    "ModerationConfig",
    "NamespaceConfig",
    "NatsConfig",
    "PreviewsConfig",
    "RedisConfig",
    "RetentionConfig",
    "ServerConfig",
    "SessionsConfig",
    "SocketIoConfig",
    "StorageConfig",
    "TelemetryConfig",
    "WebConfig",
    "Who",
    "authenticates",
    "chosen",
    "current",
    "development",
    "load",
    "validate",
]

LOCAL_NAMES = ("localhost", "")
DEV_SECRET_BYTES = 32
PRIVATE = NamespaceConfig()


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
    socketio: SocketIoConfig = Field(default_factory=SocketIoConfig, description="Socket.IO.")
    broker: BrokerConfig = Field(default_factory=BrokerConfig, description="Broker.")
    storage: StorageConfig = Field(default_factory=StorageConfig, description="Storage.")
    chat: ChatConfig = Field(default_factory=ChatConfig, description="Chat.")
    attachments: AttachmentsConfig = Field(default_factory=AttachmentsConfig, description="Files.")
    previews: PreviewsConfig = Field(default_factory=PreviewsConfig, description="What is fetched.")
    moderation: ModerationConfig = Field(default_factory=ModerationConfig, description="Moderation.")
    retention: RetentionConfig = Field(
        default_factory=RetentionConfig, description="How long things are kept."
    )
    web: WebConfig = Field(default_factory=WebConfig, description="The web app.")
    redis: RedisConfig = Field(default_factory=RedisConfig, description="Redis.")
    nats: NatsConfig = Field(default_factory=NatsConfig, description="NATS.")
    cluster: ClusterConfig = Field(default_factory=ClusterConfig, description="Many nodes.")
    load: LoadConfig = Field(default_factory=LoadConfig, description="Too much load.")
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
        """The options of `channel`'s namespace. Rooms of Socket.IO that are mapped to no channel are in `socketio`,
        which keeps no log and no presence unless it is configured."""
        name, colon, _ = channel.partition(":")
        if not colon:
            return self.default
        return self.namespaces.get(name, PRIVATE if name == "socketio" else self.default)

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
    faults.extend(_socketio_faults(config.socketio))
    faults.extend(_load_faults(config.load))
    if faults:
        raise ConfigError("\n".join(faults))


def _socketio_faults(socketio: SocketIoConfig) -> Iterator[str]:
    if not socketio.path.startswith("/") or not socketio.path.endswith("/") or len(socketio.path) < 2:
        yield f"socketio.path: {socketio.path!r} must begin and end with a slash, as /socket.io/ does."
    if socketio.path.startswith("/v1/"):
        yield "socketio.path: /v1/ is the server's own API."
    if not socketio.transports:
        yield "socketio.transports is empty; turn Socket.IO off by socketio.enabled = false."
    for setting, templates in (("rooms", socketio.rooms), ("everyone", socketio.everyone)):
        for namespace, template in templates.items():
            if not namespace.startswith("/"):
                yield f"socketio.{setting}: {namespace!r} is not a namespace; they begin with a slash."
            if (rest := _without_fields(template, setting == "rooms")) is None:
                yield (
                    f"socketio.{setting}.{namespace}: {template!r} is no template for a channel's name: write "
                    + ('"orders:{room}"' if setting == "rooms" else '"orders:all"')
                    + ', with "{namespace}" where the namespace\'s name shall stand.'
                )
            elif rest.startswith(("session:", "socketio:")):
                yield f"socketio.{setting}.{namespace}: {template!r} is in a namespace of the server's own."


def _load_faults(load: LoadConfig) -> Iterator[str]:
    if not load.busy <= load.overloaded <= load.critical:
        yield "load: busy, overloaded and critical must be in this order, each at least as high as the one before."
    if load.hysteresis >= load.busy:
        yield "load.hysteresis is as high as load.busy: a node that was busy once would be so for ever."


def _without_fields(template: str, room: bool) -> str | None:
    """What is left of `template` without its fields; None if it has not `{room}` once, or has other braces."""
    if template.count("{room}") != room:
        return None
    rest = template.replace("{room}", "").replace("{namespace}", "")
    return None if "{" in rest or "}" in rest or not template else rest


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
