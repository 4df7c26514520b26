"""Where log lines go and how they look. Only the command line configures: a library leaves its host's be.

Everything goes one way, structlog's loggers and the standard library's (uvicorn's, asyncio's, warnings): through
the root logger to one stream, on the console short and coloured, in JSON one object a line. On that way secrets
are taken out and user text is made printable (`telemetry/redaction.py`). Tracebacks never show local variables.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
import structlog

from hubbub.config import TelemetryConfig
from hubbub.telemetry.redaction import clean, escape, scrub

Event = MutableMapping[str, Any]

QUIET = ("uvicorn", "uvicorn.error", "asyncio", "websockets", "litestar")
"""Libraries of which only warnings and worse are wanted."""

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
]
_COLOURS = {
    "debug": "\x1b[2m",
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[1;31m",
}
_DIM, _BOLD, _RESET = "\x1b[2m", "\x1b[1m", "\x1b[0m"
_EVENT_WIDTH = 24
_FIRST = ("time", "level", "logger", "event")


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of one room. It ends in the standard library's logger of that name, whatever structlog's own
    configuration says: until `configure` is called, the lines go wherever the host of the library sends them."""
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            _hand_over,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return logger


def _hand_over(logger: Any, method: str, event: Event) -> tuple[Any, Any]:
    """To our formatter if it is in place, else as a plain message that any handler can print."""
    if any(isinstance(handler, _Handler) for handler in logging.getLogger().handlers):
        return structlog.stdlib.ProcessorFormatter.wrap_for_formatter(logger, method, event)
    info = event.pop("exc_info", None)
    fields = clean({name: value for name, value in event.items() if name not in ("level", "logger")})
    text = fields.pop("event", "")
    message = " ".join([str(text), *(f"{name}={_shown(value)}" for name, value in fields.items())])
    return ("%s", message), {"exc_info": info} if info else {}


def configure(telemetry: TelemetryConfig, stream: TextIO | None = None) -> None:
    """Log as `telemetry` says to `stream` (standard error). May be called again, and replaces what was before."""
    stream = stream or sys.stderr
    terminal = stream.isatty()
    as_json = telemetry.log_format == "json" or (telemetry.log_format == "auto" and not terminal)
    level = telemetry.log_level.upper()
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_SHARED, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _stamp,
            _plain_exception,
            redact,
            render_json if as_json else _Console(colours=terminal),
        ],
    )
    handler = _Handler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old, _Handler):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.getLevelName(level), logging.WARNING))
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


class _Handler(logging.StreamHandler[TextIO]):
    """A stream handler that does not print what it failed to print: that may hold secrets."""

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[0]
        if logging.raiseExceptions and error is not None and error is not BrokenPipeError:
            sys.__stderr__.write(f"a line of logger {escape(record.name)} was lost: {error.__name__}\n")  # type: ignore[union-attr]


# --- processors -------------------------------------------------------------------------------------------


def _stamp(_: Any, __: str, event: Event) -> Event:
    event["time"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def _plain_exception(_: Any, __: str, event: Event) -> Event:
    """`exc_info` in any of its forms to text, without local variables."""
    info = event.pop("exc_info", None)
    if info is True or info == 1:
        info = sys.exc_info()
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if isinstance(info, tuple) and len(info) == 3 and info[0] is not None:
        event["exception"] = "".join(traceback.format_exception(*info)).rstrip()
    stack = event.pop("stack_info", None)
    if stack:
        event["stack"] = str(stack)
    return event


def redact(_: Any, __: str, event: Event) -> Event:
    """No secrets, nothing unprintable. Only tracebacks keep their line breaks."""
    traces = {name: event.pop(name) for name in ("exception", "stack") if name in event}
    cleaned: Event = clean(dict(event))
    for name, text in traces.items():
        cleaned[name] = escape(scrub(str(text)), keep="\n")
    return cleaned


def render_json(_: Any, __: str, event: Mapping[str, Any]) -> str:
    """One object: time (ISO 8601, UTC), level, logger, event, then the fields."""
    ordered = {name: event[name] for name in _FIRST if name in event}
    ordered |= {name: value for name, value in event.items() if name not in ordered}
    return msgspec.json.encode(ordered).decode()


class _Console:
    """`10:20:25 info     listening                host=127.0.0.1 port=8000`."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours

    def __call__(self, _: Any, __: str, event: Event) -> str:
        time, level = str(event.pop("time", ""))[11:19], str(event.pop("level", "info"))
        text, name = str(event.pop("event", "")), str(event.pop("logger", ""))
        traces = [str(event.pop(name)) for name in ("exception", "stack") if name in event]
        if not name.startswith("hubbub"):
            event = {"logger": name, **event}
        fields = " ".join(f"{self._paint(_DIM, f'{key}=')}{_shown(value)}" for key, value in event.items())
        head = text.ljust(_EVENT_WIDTH) if fields else text
        line = (
            f"{self._paint(_DIM, time)} {self._paint(_COLOURS.get(level, ''), level.ljust(8))} "
            f"{self._paint(_BOLD, head)} {fields}"
        ).rstrip()
        # Indented, so that no line of a message can pass for a line of the log.
        return "\n".join((line, *("    " + row for trace in traces for row in trace.split("\n"))))

    def _paint(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_RESET}" if self._colours and colour else text


def _shown(value: Any) -> str:
    if isinstance(value, str):
        plain = value and not any(character in value for character in ' "=')
        return value if plain else msgspec.json.encode(value).decode()
    if isinstance(value, float):
        return f"{value:g}"
    return msgspec.json.encode(value).decode()
