from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from hubbub.auth.api_keys import new_key
from hubbub.auth.tokens import mint
from hubbub.config import TelemetryConfig
from hubbub.telemetry.logging import configure, get_logger

TOKEN = mint("s" * 32, "ada", now=1_700_000_000, ttl=60)
API_KEY = new_key()[0]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Logging is the process's: every test leaves it as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logging.root.manager.loggerDict}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in list(logging.root.manager.loggerDict):
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))
    logging.captureWarnings(False)
    structlog.reset_defaults()


def logged(act: Callable[[], object], stream: io.StringIO | None = None, **telemetry: Any) -> str:
    stream = stream or io.StringIO()
    logging.getLogger().handlers[:] = []  # pytest's own would fail, loudly, where ours must not
    configure(TelemetryConfig(**telemetry), stream)
    act()
    return stream.getvalue()


def fields(text: str) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(text)
    return line


def fail(message: str) -> None:
    local_secret = f"a local {TOKEN}"
    raise ValueError(f"{message}{len(local_secret) * 0 or ''}")


def raised(message: str) -> ValueError:
    try:
        fail(message)
    except ValueError as error:
        return error
    raise AssertionError


# --- forms ------------------------------------------------------------------------------------------------


def test_json_lines_hold_time_level_logger_event_then_fields() -> None:
    text = logged(
        lambda: structlog.get_logger("hubbub.hub").info("gone", session="s1", n=2), log_format="json"
    )
    line = fields(text)
    assert list(line) == ["time", "level", "logger", "event", "session", "n"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert line | {"time": 0} == {
        "time": 0,
        "level": "info",
        "logger": "hubbub.hub",
        "event": "gone",
        "session": "s1",
        "n": 2,
    }
    assert text.endswith("\n")


def test_auto_is_json_when_piped_and_console_on_a_terminal() -> None:
    log = structlog.get_logger("hubbub")
    fields(logged(lambda: log.info("x")))
    text = logged(lambda: log.info("listening", host="::1", port=80), Terminal())
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d info +listening +host=::1 port=80\n", re.sub(r"\x1b\[[\d;]*m", "", text)
    )
    assert "\x1b[" in text


def test_a_console_that_is_no_terminal_has_no_colours() -> None:
    text = logged(
        lambda: structlog.get_logger("hubbub").error("x", text='a "b"', f=0.5), log_format="console"
    )
    assert "\x1b" not in text
    assert text.endswith('text="a \\"b\\"" f=0.5\n')


def test_levels() -> None:
    def act() -> None:
        for name in ("hubbub", "uvicorn.error", "other"):
            for method in ("debug", "info", "warning", "error"):
                getattr(structlog.get_logger(name), method)(method)
                getattr(logging.getLogger(name), method)(method)

    seen = [fields(line) for line in logged(act, log_level="info").splitlines()]
    assert [each["level"] for each in seen if each["logger"] == "hubbub"] == [
        name for name in ("info", "warning", "error") for _ in range(2)
    ]
    assert "info" not in {each["level"] for each in seen if each["logger"] == "uvicorn.error"}
    assert "info" in {each["level"] for each in seen if each["logger"] == "other"}
    seen = [fields(line) for line in logged(act, log_level="error").splitlines()]
    assert {each["level"] for each in seen} == {"error"}


def test_configuring_again_does_not_double_lines() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure(TelemetryConfig(), first)
    configure(TelemetryConfig(), second)
    logging.getLogger("x").warning("once")
    assert (first.getvalue(), second.getvalue().count("\n")) == ("", 1)


def test_the_hosts_own_handlers_stay() -> None:
    theirs = logging.NullHandler()
    logging.getLogger().addHandler(theirs)
    configure(TelemetryConfig(), io.StringIO())
    assert theirs in logging.getLogger().handlers


# --- secrets: every way in --------------------------------------------------------------------------------

LEAKS: dict[str, Callable[[str], object]] = {
    "structlog event": lambda s: structlog.get_logger("hubbub").error(f"bad {s}"),
    "structlog field": lambda s: structlog.get_logger("hubbub").error("bad", value=s),
    "structlog nested": lambda s: structlog.get_logger("hubbub").error("bad", value={"a": [s, (s,)]}),
    "structlog bytes": lambda s: structlog.get_logger("hubbub").error("bad", value=s.encode()),
    "structlog named": lambda s: structlog.get_logger("hubbub").error("bad", token=s, cookie={"x": s}),
    "structlog positional": lambda s: structlog.get_logger("hubbub").error("bad %s", s),
    "structlog bound": lambda s: structlog.get_logger("hubbub").bind(path=f"/x?token={s}").error("bad"),
    "structlog exception": lambda s: structlog.get_logger("hubbub").error("bad", exc_info=raised(s)),
    "structlog cause": lambda s: structlog.get_logger("hubbub").error("bad", exc_info=_chained(s)),
    "structlog note": lambda s: structlog.get_logger("hubbub").error("bad", exc_info=_noted(s)),
    "structlog object": lambda s: structlog.get_logger("hubbub").error("bad", error=raised(s)),
    "structlog key": lambda s: structlog.get_logger("hubbub").error("bad", value={s: 1}),
    "stdlib message": lambda s: logging.getLogger("uvicorn.error").error(f"bad {s}"),
    "stdlib argument": lambda s: logging.getLogger("uvicorn.error").error("bad %s", s),
    "stdlib mapping": lambda s: logging.getLogger("x").error("bad %(a)s", {"a": s}),
    "stdlib extra": lambda s: logging.getLogger("x").error("bad", extra={"url": f"/?ticket={s}"}),
    "stdlib exception": lambda s: logging.getLogger("asyncio").error("bad", exc_info=raised(s)),
    "stdlib stack": lambda s: logging.getLogger("x").error(f"{s}", stack_info=True),
    "warning": lambda s: warnings.warn(f"bad {s}", UserWarning, stacklevel=1),
    "asyncio handler": lambda s: _loop_error(s),
}


def _chained(text: str) -> Exception:
    error = RuntimeError("outer")
    error.__cause__ = raised(text)
    return error


def _noted(text: str) -> Exception:
    error = raised("x")
    error.add_note(f"while doing {text}")
    return error


def _loop_error(text: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": f"task failed {text}", "exception": raised(text)})

    asyncio.run(main())


@pytest.mark.filterwarnings("default::UserWarning")
@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("path", LEAKS)
def test_no_secret_comes_through(path: str, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    for secret, tail in ((TOKEN, TOKEN.rsplit(".", 1)[1]), (API_KEY, API_KEY[-30:])):
        text = logged(lambda secret=secret: LEAKS[path](secret), log_format=form)  # type: ignore[misc]
        assert "bad" in text or "task failed" in text or "redacted" in text
        captured = capsys.readouterr()
        assert tail not in text + captured.out + captured.err


@pytest.mark.parametrize("form", ["json", "console"])
def test_tracebacks_have_no_local_variables(form: str) -> None:
    error = raised("plain")
    text = logged(lambda: structlog.get_logger("hubbub").error("bad", exc_info=error), log_format=form)
    assert "ValueError: plain" in text
    assert "in fail" in text
    assert TOKEN[:20] not in text
    assert "a local eyJ" not in text


def test_what_cannot_be_printed_is_not_printed_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError(TOKEN)

        __repr__ = __str__

    text = logged(lambda: logging.getLogger("x").error("bad %s %s", Broken(), TOKEN))
    captured = capsys.readouterr()
    assert TOKEN not in text + captured.out + captured.err


# --- injection --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    "act",
    [
        lambda s: structlog.get_logger("hubbub").error("bad", user=s),
        lambda s: structlog.get_logger("hubbub").error(s),
        lambda s: logging.getLogger("x").error("bad %s", s),
        lambda s: structlog.get_logger("hubbub").error("bad", **{s: 1}),
    ],
)
def test_user_text_stays_in_its_line_and_paints_nothing(act: Callable[[str], object], form: str) -> None:
    text = logged(lambda: act("x\n12:00:00 error forged\r\x1b[2J\x9bm\u202e"), log_format=form)
    assert text.count("\n") == 1
    assert not set(text) & {"\r", "\x1b", "\x9b", "\u202e"}
    assert "forged" in text


def test_a_line_in_an_exceptions_message_cannot_pass_for_a_log_line() -> None:
    error = raised("x\n12:00:00 error    forged\x1b[2J")
    text = logged(lambda: structlog.get_logger("hubbub").error("bad", exc_info=error), log_format="console")
    assert all(line.startswith("    ") for line in text.splitlines()[1:])
    assert "\x1b" not in text


def test_a_traceback_is_one_field_of_a_json_line() -> None:
    text = logged(
        lambda: structlog.get_logger("hubbub").error("bad", exc_info=raised("why")), log_format="json"
    )
    assert text.count("\n") == 1
    assert fields(text)["exception"].splitlines()[-1] == "ValueError: why"


def test_exc_info_true_means_the_current_one() -> None:
    def act() -> None:
        try:
            fail("why")
        except ValueError:
            structlog.get_logger("hubbub").exception("bad")
            structlog.get_logger("hubbub").error("bad", exc_info=True)
            logging.getLogger("x").exception("bad")
        structlog.get_logger("hubbub").error("none", exc_info=sys.exc_info())

    lines = [fields(line) for line in logged(act).splitlines()]
    assert ["ValueError: why" in line.get("exception", "") for line in lines] == [True, True, True, False]


def test_importing_and_building_a_server_leaves_logging_alone() -> None:
    from hubbub.app import Hubbub
    from hubbub.config import Config, development

    before = logging.getLogger().handlers[:], logging.getLogger().level, structlog.is_configured()
    Hubbub(development(Config(), "s" * 32))
    assert (logging.getLogger().handlers[:], logging.getLogger().level, structlog.is_configured()) == before


def test_a_library_logs_where_its_host_does_and_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="hubbub.tested"):
        get_logger("hubbub.tested").info("opened %s", "twice", token="s3cret-value", n=2)
    (record,) = caplog.records
    assert record.getMessage() == "opened twice token=[redacted] n=2"


def test_a_library_s_exceptions_stay_the_host_s_to_format(caplog: pytest.LogCaptureFixture) -> None:
    get_logger("hubbub.tested").error("failed", exc_info=ValueError("x"))
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is ValueError
