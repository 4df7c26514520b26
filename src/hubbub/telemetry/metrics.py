"""Every metric, in one table. The hot path adds to plain numbers; a scrape turns them into Prometheus families."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Histogram:
    """Counts by upper bound, in seconds."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(LATENCY_BUCKETS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(LATENCY_BUCKETS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        rows, running = [], 0
        for bound, count in zip((*map(str, LATENCY_BUCKETS), "+Inf"), self.counts, strict=True):
            running += count
            rows.append((bound, float(running)))
        return rows


# name -> (kind, help, labels). The names here are the attributes of `Metrics`; `hubbub_` is put before them.
TABLE: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "connections": ("gauge", "Open connections.", ("transport", "protocol")),
    "connections_opened": ("counter", "Connections since the start.", ("transport", "protocol")),
    "sessions": ("gauge", "Sessions, connected or within their resume window.", ()),
    "sessions_detached": ("gauge", "Sessions that wait for their client to come back.", ()),
    "users": ("gauge", "Users with at least one session.", ()),
    "channels": ("gauge", "Channels with subscribers.", ()),
    "subscriptions": ("gauge", "Subscriptions.", ()),
    "commands": ("counter", "Commands from clients.", ("type",)),
    "messages_in": ("counter", "Messages from clients.", ()),
    "messages_out": ("counter", "Messages to clients.", ()),
    "bytes_in": ("counter", "Bytes of messages from clients.", ()),
    "bytes_out": ("counter", "Bytes of messages to clients.", ()),
    "publications": ("counter", "Publications accepted.", ()),
    "deliveries": ("counter", "Publications written, counted once for each recipient.", ()),
    "volatile_dropped": ("counter", "Volatile Socket.IO events not written, for somebody was not ready.", ()),
    "journal_bytes": ("gauge", "Bytes of events kept for the recovery of Socket.IO connections.", ()),
    "encodes": ("counter", "Encodings made for broadcasts: one for each audience.", ()),
    "delivery_seconds": ("histogram", "From publish accepted to written to all local subscribers.", ()),
    "queue_bytes": ("gauge", "Bytes that wait in the queues of slow readers.", ()),
    "disconnects": ("counter", "Connections ended by the server, by disconnect code.", ("code",)),
    "errors": ("counter", "Commands and requests refused, by error code.", ("code",)),
    "rejected": ("counter", "What a limit refused, by the limit's name in the config.", ("limit",)),
    "resumes": ("counter", "Resume attempts.", ("outcome",)),
    "recoveries": ("counter", "Recoveries of single subscriptions.", ("outcome",)),
    "gaps": ("counter", "Gaps in a live stream, healed from the log or not.", ("outcome",)),
    "presence_local": ("counter", "Uses of presence to which the store beside did not answer.", ()),
    "presence_behind": ("gauge", "What of presence is still to be written into the store beside.", ()),
    "loop_lag_seconds": ("gauge", "How late the event loop was at the last check.", ()),
    "loop_lag_max_seconds": ("gauge", "How late the event loop was at the most, since the last scrape.", ()),
    "load": ("gauge", "How full the node is: 1 is full. Its level is that of the fullest.", ("measure",)),
    "load_level": ("gauge", "Level of load: 0 normal, 1 busy, 2 overloaded, 3 critical.", ()),
    "shed": ("counter", "What was given up because of the load, by its name in the docs.", ("what",)),
    "handler_errors": ("counter", "Exceptions out of handlers and hooks.", ()),
    "http_requests": ("counter", "HTTP requests, by status class.", ("status",)),
    "writes": ("counter", "Writes that the database took.", ()),
    "writes_pending": ("gauge", "Writes that wait for the database.", ()),
    "commits": ("counter", "Transactions that wrote; `writes` by these is the size of a group.", ()),
    "commit_seconds": ("histogram", "From the begin of a transaction to its being on disk.", ()),
    "store_errors": ("counter", "Writes and reads that the database failed, by reason.", ("reason",)),
    "store_retries": (
        "counter",
        "Transactions that the database undid and that were tried again, by reason.",
        ("reason",),
    ),
    "agenda": ("counter", "What was due and done, refused or put off, by its kind.", ("kind", "outcome")),
    "agenda_lag_seconds": ("histogram", "From when something was due to its being done.", ()),
    "agenda_late_seconds": ("gauge", "How late the oldest is that is due and not done.", ()),
    "verdicts": (
        "counter",
        "Messages and edits that rules or hooks have stopped at, by what they did.",
        ("action",),
    ),
    "previews": ("counter", "Pages that were fetched for previews, by what came of it.", ("outcome",)),
    "broker_local_only": ("counter", "Publications that reached this node's sessions alone.", ()),
    "broker_unheard": ("counter", "Publications that nobody heard, though this node listened.", ()),
    "dead_letters": ("counter", "What a broker brought and could not be handled, by reason.", ("reason",)),
    "nodes": ("gauge", "Nodes that show signs of life, this one among them; 0 without a cluster.", ()),
    "node_lapses": (
        "counter",
        "Times that this node's lease had run out: the others may have held it dead.",
        (),
    ),
    "rates_local": ("counter", "Users whose shared rates could not be charged: this node has its own.", ()),
    "node_questions": ("counter", "Questions to other nodes, counted once for each.", ("outcome",)),
    "engine_up": ("gauge", "1 while an engine beside Hubbub answers and is heard.", ("engine",)),
    "engine_breaker_open": (
        "gauge",
        "Connections to an engine on which nothing is tried but to connect.",
        ("engine",),
    ),
    "engine_reconnects": ("counter", "Connections to an engine that were made again.", ("engine",)),
    "engine_errors": ("counter", "What engines failed, by reason.", ("engine", "reason")),
    "engine_seconds": ("histogram", "From a command to an engine to its answer.", ()),
}


class Metrics(Collector):
    """The numbers of one process. Attributes are named as in `TABLE`; `Counter`s are keyed by their labels' values."""

    def __init__(self) -> None:
        self.connections: Counter[tuple[str, str]] = Counter()
        self.connections_opened: Counter[tuple[str, str]] = Counter()
        self.commands: Counter[str] = Counter()
        self.messages_in = 0
        self.messages_out = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.publications = 0
        self.deliveries = 0
        self.encodes = 0
        self.volatile_dropped = 0
        self.delivery_seconds = Histogram()
        self.disconnects: Counter[int] = Counter()
        self.errors: Counter[int] = Counter()
        self.rejected: Counter[str] = Counter()
        self.resumes: Counter[str] = Counter()
        self.recoveries: Counter[str] = Counter()
        self.gaps: Counter[str] = Counter()
        self.http_requests: Counter[str] = Counter()
        self.writes = 0
        self.commits = 0
        self.commit_seconds = Histogram()
        self.store_errors: Counter[str] = Counter()
        self.store_retries: Counter[str] = Counter()
        self.agenda: Counter[tuple[str, str]] = Counter()
        self.agenda_lag_seconds = Histogram()
        # All there will ever be: a database's thread counts here while the event loop reads.
        self.verdicts = Counter({"flag": 0, "mask": 0, "hold": 0, "reject": 0, "shadow": 0})
        self.previews: Counter[str] = Counter()
        self.broker_local_only = 0
        self.broker_unheard = 0
        self.dead_letters: Counter[str] = Counter()
        self.node_lapses = 0
        self.rates_local = 0
        self.node_questions: Counter[str] = Counter()
        self.engine_up: Counter[str] = Counter()
        self.engine_breaker_open: Counter[str] = Counter()
        self.engine_reconnects: Counter[str] = Counter()
        self.engine_errors: Counter[tuple[str, str]] = Counter()
        self.engine_seconds = Histogram()
        self.presence_local = 0
        self.loop_lag_seconds = 0.0
        self.loop_lag_max_seconds = 0.0
        self.load: dict[str, float] = {}
        self.load_level = 0
        self.shed: Counter[str] = Counter()
        self.handler_errors = 0
        self.gauges: dict[str, Callable[[], float]] = {}
        self._accepted: list[float] = []
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)

    def connections_total(self) -> int:
        """Open connections, whether authenticated or not."""
        return sum(self.connections.values())

    def delivering(self, accepted: float) -> None:
        """A publication accepted at `accepted` (monotonic) has been queued to its last local subscriber."""
        self._accepted.append(accepted)

    def flushed(self, now: float) -> None:
        """Everything queued so far has been written."""
        if self._accepted:
            for accepted in self._accepted:
                self.delivery_seconds.observe(now - accepted)
            self._accepted.clear()

    def shed_presence(self, count: int) -> None:
        """So many changes of presence were left out."""
        self.shed["presence"] += count

    def lag(self, seconds: float) -> None:
        self.loop_lag_seconds = seconds
        self.loop_lag_max_seconds = max(self.loop_lag_max_seconds, seconds)

    def collect(self) -> Iterator[Metric]:
        for name, (kind, text, labels) in TABLE.items():
            value = self.gauges[name]() if name in self.gauges else getattr(self, name, 0)
            full = f"hubbub_{name}"
            if kind == "histogram":
                assert isinstance(value, Histogram)
                yield HistogramMetricFamily(full, text, buckets=value.buckets(), sum_value=value.total)
                continue
            family = (GaugeMetricFamily if kind == "gauge" else CounterMetricFamily)(
                full, text, labels=labels
            )
            if isinstance(value, dict):
                for key, number in value.items():
                    family.add_metric(
                        [str(part) for part in (key if isinstance(key, tuple) else (key,))], number
                    )
            else:
                family.add_metric([], float(value))
            yield family
        self.loop_lag_max_seconds = 0.0

    def exposition(self) -> bytes:
        """The Prometheus text format, version 0.0.4."""
        return generate_latest(self.registry)
