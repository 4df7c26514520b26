"""The composition root: the only file that names concrete classes. Start, drain, stop; and the public `Hubbub`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import secrets
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from hubbub import __version__, registry, web
from hubbub import config as settings
from hubbub.api.deferred import Deferred
from hubbub.auth.api_keys import ApiKeys
from hubbub.auth.base import Policy
from hubbub.auth.keys import Keys
from hubbub.auth.policy import TokenPolicy
from hubbub.auth.tickets import Tickets
from hubbub.chat.chat import Chat
from hubbub.chat.commands import Argument, Command, program
from hubbub.chat.filing import Files
from hubbub.chat.previews import Previews
from hubbub.clock import Clock, SystemClock
from hubbub.cluster.claims import Claims
from hubbub.cluster.cluster import Cluster
from hubbub.cluster.nodes import new_node_id
from hubbub.cluster.passes import Passes
from hubbub.config import Config
from hubbub.egress.fetch import Egress
from hubbub.errors import ConfigError, HubbubError
from hubbub.hub import operations
from hubbub.hub.handlers import Handlers, Rule, check_parameters
from hubbub.hub.hub import Hub
from hubbub.model import Operation, Position
from hubbub.moderation.base import Judge
from hubbub.registry import Parts
from hubbub.socketio.handlers import NamespaceName
from hubbub.socketio.server import SocketIo
from hubbub.telemetry.health import PATHS as HEALTH_PATHS
from hubbub.telemetry.health import Health
from hubbub.telemetry.levels import lowered
from hubbub.telemetry.load import LoadChange
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics
from hubbub.transports.asgi import AsgiWebSockets
from hubbub.transports.drain import Drain, in_time
from hubbub.transports.engineio.asgi import EngineWebSockets
from hubbub.transports.engineio.endpoint import EngineIo
from hubbub.transports.forwarding import Forwarder
from hubbub.transports.http import AsgiApp
from hubbub.transports.kernel import use_all_descriptors
from hubbub.transports.node import Node
from hubbub.transports.peers import Peers
from hubbub.transports.root import Root
from hubbub.transports.server import Listener, listen, listen_for_nodes, node_address
from hubbub.transports.sessions import Sessions
from hubbub.transports.sse import EventSources

log = get_logger("hubbub")
F = TypeVar("F", bound=Callable[..., Awaitable[Any]])
J = TypeVar("J", bound=Judge)


class Lasting(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Hubbub:
    """A Hubbub server as an object: register handlers, then `run()` it or mount `asgi`.

    Settings come from `hubbub.toml` and `HUBBUB_*` unless `config` is given. Nothing is opened before the start.
    `policy` replaces the one that reads tokens; given as a function, it gets that one, to wrap it.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        policy: Policy | Callable[[TokenPolicy], Policy] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.config = config if config is not None else settings.current()
        self.clock = clock or SystemClock()
        self.handlers = Handlers()
        self.metrics = Metrics()
        self.keys = Keys(self.config.auth, self.clock, lambda message: log.warning(message))
        self.tokens = TokenPolicy(self.config, self.keys, self.clock)
        self._reads_tokens = policy is None or callable(policy)
        if policy is None:
            self.policy: Policy = self.tokens
        else:
            self.policy = policy(self.tokens) if callable(policy) else policy
        parts = Parts(self.config, self.clock, self.metrics, new_node_id())
        broker = registry.find(registry.BROKERS, self.config.broker.type, "broker.type")
        shared = registry.shared(self.config)
        self._state = registry.STATES[shared](parts)
        self.tickets = Tickets(self._state, self.clock, self.config.auth.ticket_ttl)
        self.hub = Hub(
            self.config,
            self.clock,
            broker(parts),
            registry.PRESENCE[shared](parts),
            self.policy,
            self.handlers,
            self.metrics,
        )
        self._chat: Chat | None = None
        if self.config.chat.enabled:
            scheme = self.config.storage.url.get_secret_value().partition(":")[0].partition("+")[0]
            store = registry.find(registry.STORES, scheme, "storage.url")(parts)
            self._chat = Chat(self.hub, store, self.config, self.clock)
            if self.config.attachments.enabled:
                scheme = self.config.attachments.url.get_secret_value().partition(":")[0]
                blobs = registry.find(registry.BLOBS, scheme, "attachments.url")(self.config)
                self._chat.files = Files(self._chat, blobs)
            if self.config.previews.enabled:
                self._chat.previews = Previews(self._chat, Egress(self.config.previews))
        self.socketio = SocketIo(self.hub, registry.PARSERS[self.config.socketio.parser](self.config))
        """The Socket.IO server: its handlers, events and rooms."""
        protocols = {name: make(self.config) for name, make in registry.PROTOCOLS.items()}
        self.node = Node(self.config, self.clock, self.hub, protocols)
        self.node.load.changed.append(self._shorten_pages)
        self._cluster = None if registry.alone(self.config) else self._clustered(parts.node)
        self._engine = EngineIo(self.node, self.socketio.sockets.accept)
        if self.config.socketio.enabled:
            self.node.upgrades[self.config.socketio.path.encode()] = self._engine
            self.node.direct[self.config.socketio.path] = self._engine
        self.api_keys = ApiKeys(self.config.auth.api_keys)
        self._api = Deferred(self._rest)
        self._asgi: Root | None = None
        self._started = False

    def _clustered(self, id: str) -> Cluster:
        """This server as one node of several."""
        revocations = self.tokens.revocations if self._reads_tokens else None
        self.hub.results.state = self._state
        if self.config.cluster.shared_rates:
            self.hub.calls.state = self._state
            if self.hub.user_rate is not None:
                self.hub.user_rate.state = self._state
        cluster = Cluster(self.hub, self._state, self.config, self.clock, revocations, id=id)
        self.socketio.join(cluster.bus)
        if self._chat is not None:
            self._chat.presence.join(cluster.bus, cluster.nodes)
        cluster.load = lambda: (self.node.load.level.word, self.node.load.reading.load)
        self._claims = Claims(self.hub, cluster.nodes, cluster.bus, self._state, revocations)
        passes = Passes(cluster.nodes, self._state, self.clock)
        peers = Peers(self.clock, self.config.cluster.request_timeout)
        self._forwarder = Forwarder(self.node, cluster.nodes, self._claims, passes, peers)
        return cluster

    def _shorten_pages(self, change: LoadChange) -> None:
        """The lists of conversations have shorter pages while there is too much load."""
        if self._chat is not None:
            limits, share = self.config.limits, self.hub.shedding.history
            shorter = limits.with_pages_of(lowered(limits.page, share))
            self._chat.config = self.config.model_copy(update={"limits": shorter})

    @property
    def chat(self) -> Chat:
        """Conversations: `await app.chat.call("messages.send", as_user="ada", ...)`. Raises RuntimeError where
        `chat.enabled` is off."""
        if self._chat is None:
            raise RuntimeError("there are no conversations: chat.enabled is off")
        return self._chat

    # --- what the application adds ------------------------------------------------------------------------

    def on(self, method: str, *, namespace: NamespaceName | None = None) -> Callable[[F], F]:
        """Register a handler of `call`: `async def handler(session, params: SomeStruct) -> result`.

        With a `namespace` it is one of a Socket.IO event there: see `app.socketio.on`.
        """
        if namespace is not None:
            socketio: Callable[[F], F] = self.socketio.on(method, namespace=namespace)
            return socketio

        def register(function: F) -> F:
            self.handlers.add(method, function)
            return function

        return register

    def authorize(self, operation: Operation, pattern: str) -> Callable[[F], F]:
        """Register the rule for channels that match `pattern`: `async def rule(session, channel) -> bool`."""

        def register(function: F) -> F:
            self.handlers.rules.append(Rule(operation, pattern, function))
            return function

        return register

    def on_connect(self, function: F) -> F:
        """Call `async def hook(session)` for each new session; raise HubbubError in it to refuse."""
        self.handlers.add_hook(self.handlers.connected, function)
        return function

    def on_disconnect(self, function: F) -> F:
        """Call `async def hook(session)` when a session has ended for good."""
        self.handlers.add_hook(self.handlers.disconnected, function)
        return function

    def on_load(self, function: F) -> F:
        """Call `async def hook(change)` when this node's level of load has changed: a `LoadChange`."""
        self.handlers.add_hook(self.handlers.loaded, function, "change")
        return function

    def before_message(self, function: J) -> J:
        """Ask `async def hook(draft)` about each message before it is sent, and each edit: it gets a `Draft`, and gives
        None to let it pass or a `Judgement`. To raise HubbubError in it is to refuse the message. All hooks together
        may take `moderation.hook_timeout`; `moderation.hook_failure` says what becomes of what they could not judge."""
        check_parameters(function, "the before_message hook", ("draft",))
        self.chat.moderation.hooks.judges.append(function)
        return function

    def scan_file(self, function: F) -> F:
        """Ask `async def hook(file)` about each file before anybody can read it: it gets a `ScannedFile`
        (`hubbub.attachments.scan`), and gives None to take it, or why it is refused. It may take
        `attachments.scan_timeout`; `attachments.scan_failure` says what becomes of what it could not judge.

        Raises TypeError for a second one, RuntimeError where `chat.enabled` or `attachments.enabled` is off.
        """
        files = self.chat.files
        if files is None:
            raise RuntimeError("attachments.enabled is off")
        if files.scan_file is not None:
            raise TypeError("there is a hook that scans files already")
        check_parameters(function, "the scan_file hook", ("file",))
        files.scan_file = function
        return function

    def on_press(self, function: F) -> F:
        """Answer who presses a button of a card that the server has sent: `async def answer(press)` gets a `Press` and
        gives an `Answer` (`hubbub.chat.cards`) or None. It may be called twice for one press if a node dies.

        Raises TypeError for a second one, RuntimeError where `chat.enabled` is off.
        """
        if self.chat.on_press is not None:
            raise TypeError("there is a handler of presses already")
        check_parameters(function, "the handler of presses", ("press",))
        self.chat.on_press = function
        return function

    def command(
        self, name: str, *, description: str = "", usage: str = "", arguments: Sequence[Argument] = ()
    ) -> Callable[[F], F]:
        """Answer the slash command `/name`: `async def answer(given)` gets a `Given` (`hubbub.chat.commands`) and gives
        the parts that its giver is to see, or None. It may be called twice for one command if a node dies.

        Raises TypeError for a second one of a name, ValueError for what is no name, RuntimeError where `chat.enabled`
        is off.
        """

        def register(function: F) -> F:
            programs = self.chat.programs
            if name in programs:
                raise TypeError(f"there is a handler of the command {name!r} already")
            check_parameters(function, f"the command {name!r}", ("given",))
            command = Command(name, None, description, usage, tuple(arguments))
            programs[name] = program(command, function)
            return function

        return register

    # --- what the application does ------------------------------------------------------------------------

    async def publish(
        self,
        channel: str,
        event: str,
        data: Any,
        *,
        key: str | None = None,
        conflation_key: str | None = None,
    ) -> Position | None:
        """Publish from anywhere in the process. Returns the Position, or None where no log is kept."""
        accepted = await operations.publish(
            self.hub, channel, event, data, key=key, conflation_key=conflation_key
        )
        return accepted.position

    async def broadcast(
        self, channels: Sequence[str], event: str, data: Any, *, key: str | None = None
    ) -> list[Position | None]:
        """Publish the same in many channels. Raises the first error, after all have been tried."""
        outcomes = await operations.broadcast(self.hub, channels, event, data, key=key)
        for outcome in outcomes:
            if isinstance(outcome, HubbubError):
                raise outcome
        return [outcome.position for outcome in outcomes if not isinstance(outcome, HubbubError)]

    async def send_to_user(self, user: str, event: str, data: Any) -> int:
        """Push to all sessions of a user. Returns how many."""
        return (await operations.to_user(self.hub, user, event, data)).count

    async def send_to_session(self, session: str, event: str, data: Any) -> bool:
        """Push to one session. False if it is gone."""
        return bool((await operations.to_session(self.hub, session, event, data)).count)

    # --- life ---------------------------------------------------------------------------------------------

    @property
    def asgi(self) -> Root:
        """The whole server as an ASGI application, WebSockets included, to serve or to mount."""
        if self._asgi is None:
            socketio = self.config.socketio
            others = {socketio.path: EngineWebSockets(self._engine)} if socketio.enabled else {}
            websockets = AsgiWebSockets(self.node, others)
            self._asgi = Root(
                self.node,
                self,
                endpoints=(Sessions(self.node), EventSources(self.node, self.tickets)),
                websocket=websockets,
                api=self._http(),
                closing=(websockets.stop, self._engine.stop),
            )
        return self._asgi

    def _http(self) -> AsgiApp:
        """What answers HTTP where no transport does: health and metrics, the web app, and the server API."""
        api = self._api
        written = self._chat.probe if self._chat is not None else None
        health = Health(self.hub, self.api_keys, lambda: self._started, written=written)
        config = self.config
        # Without conversations the developer's page is all that there is of it.
        shown = config.web.enabled and (config.chat.enabled or config.server.playground)
        site = web.web_app(config, __version__) if shown else None

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                path = scope["path"].removeprefix(scope.get("root_path", ""))
                if path in HEALTH_PATHS:
                    answers: AsgiApp = health
                elif site is not None and web.takes(path):
                    answers = site
                else:
                    answers = api
                await answers(scope, receive, send)

        return app

    def _rest(self) -> AsgiApp:
        # A third of all the time that imports take is Litestar's: it comes when the server listens already.
        from hubbub.api.app import build_api
        from hubbub.api.context import ApiContext

        revocations = self.tokens.revocations if self._reads_tokens else None
        return build_api(ApiContext(self.hub, self.api_keys, self.tickets, revocations, self._chat))

    @property
    def started(self) -> bool:
        return self._started

    async def start(self) -> None:
        """Open what the server needs. Mounted applications call this by `lifespan`."""
        if self._started:
            return
        async with (
            contextlib.AsyncExitStack() as begun
        ):  # what has begun ends again, if what follows cannot begin
            for part in self._lasting:
                await part.start()
                begun.push_async_callback(part.stop)
            begun.pop_all()
        self._started = True
        self.node.start()

    async def stop(self) -> None:
        if not self._started:
            return
        self._started = False
        if self._asgi is not None:
            await self._asgi.close()
        self.node.stop()
        if self._cluster is not None:
            self._forwarder.stop()
        for part in reversed(self._lasting):
            await part.stop()

    @property
    def _lasting(self) -> list[Lasting]:
        """All that lives as long as the server, each after what it stands on."""
        parts: list[Lasting] = [self.keys, self._state, self.hub]
        if self._chat is not None:
            parts.append(self._chat)
            if self._chat.files is not None:
                parts.append(self._chat.files)
            if self._chat.previews is not None:
                parts.append(self._chat.previews)
        if self._cluster is not None:
            parts += [self._cluster, self._claims]
        return parts

    @contextlib.asynccontextmanager
    async def lifespan(self, *_: object) -> AsyncIterator[None]:
        """For the host application: `FastAPI(lifespan=hubbub.lifespan)`."""
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    async def serve(
        self, *, ready: Callable[[str, int], None] | None = None, sock: socket.socket | None = None
    ) -> None:
        """Listen until SIGTERM or SIGINT, then drain. `ready` is called with the host and port."""
        settings.validate(self.config, tokens=self._reads_tokens)
        use_all_descriptors()
        self.node.admission.measure()
        server = self.config.server
        sock = sock or listen(server.host, server.port, server.backlog)
        host, port = sock.getsockname()[:2]
        inner = listen_for_nodes(self.config)
        if self._cluster is not None:
            self._cluster.address = node_address(self.config, sock, inner)
        await self.start()
        tls = _tls(server.tls_certificate, server.tls_key)
        listener = Listener(self.node, self.asgi, sock=sock, tls=tls, inner=inner)
        await listener.start()
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self.hub.spawn(self.reload()))
        _calm_collector()
        log.info("listening", host=host, port=port, tls=server.tls_certificate is not None)
        if ready is not None:
            ready(host, port)
        self.hub.spawn(self._api.warm())
        try:
            await stopping.wait()
            drain = Drain(self.node, server.drain_window)
            for number in (signal.SIGTERM, signal.SIGINT):  # a second one means: now
                loop.add_signal_handler(number, drain.hurry)
            listener.stop_accepting()
            await drain.run()
        finally:
            await self.asgi.close()
            await listener.close()
            await in_time(self.stop())
            log.info("stopped")

    def run(
        self, *, ready: Callable[[str, int], None] | None = None, sock: socket.socket | None = None
    ) -> None:
        """`serve` on an event loop of its own; returns when the server has stopped."""
        try:
            import uvloop
        except ImportError:
            asyncio.run(self.serve(ready=ready, sock=sock))
        else:
            uvloop.run(self.serve(ready=ready, sock=sock))

    async def reload(self) -> None:
        """Read keys again (SIGHUP); broken files leave the old ones in force."""
        if await self.keys.reload():
            log.info("keys reloaded")


def _calm_collector() -> None:
    """Ten thousand sessions are a heap that lasts: do not walk it again and again. Hubbub makes few cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"server.tls_certificate or server.tls_key cannot be read: {error}") from error
    return context


def new_secret() -> str:
    return secrets.token_urlsafe(settings.DEV_SECRET_BYTES)
