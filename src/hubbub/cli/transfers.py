"""`hubbub export` and `hubbub import`: a whole workspace out of the database, and into it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from hubbub.cli.credentials import load_config
from hubbub.cli.output import Problem

if TYPE_CHECKING:
    from hubbub.config import Config
    from hubbub.storage.base import Store
    from hubbub.transfer.batches import Counts
    from hubbub.transfer.importing import Report
    from hubbub.transfer.reading import Source

SHOWN = 100
"""Lines that were not brought, of which the reasons are printed."""
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Settings file.", show_default="hubbub.toml, if it exists")
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.FIELD=VALUE", help="As for `hubbub serve`."),
]


def add_to(cli: typer.Typer) -> None:
    cli.command("export")(export)
    cli.command("import")(bring)


def export(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="File to write.", dir_okay=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace FILE.")] = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Write all users, conversations and messages of `storage.url` into FILE, a JSON object a line.

    Works on the database itself. SQLite is one server's: stop that first, or export from a copy that `hubbub backup`
    makes (`--set storage.url=sqlite:///copy.db`). On PostgreSQL servers may run.
    """
    if target.exists() and not force:
        raise Problem(f"{target} is there already.", "name another file, or replace it with --force.")
    settings = _settings(config, assignments)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        descriptor = os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            counts = asyncio.run(_export(settings, store_of(settings), file))
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except OSError as error:
        raise Problem(
            f"cannot write {target}: {error.strerror or error}.", "see that there is room."
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    print(f"{target}: {_said(counts)}")


def bring(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="File to read.", dir_okay=False, exists=True)
    ],
    slack: Annotated[bool, typer.Option("--slack", help="FILE is the zip of a Slack export.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the import of FILE was stopped.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first line that cannot be brought.")
    ] = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> int:
    """Bring the users, conversations and messages of FILE into the database of `storage.url`.

    Works on the database itself: stop the server of a SQLite database first. What is there already is not brought
    again. The exit status is 1 if there were lines that could not be brought; standard error has their numbers.
    """
    from hubbub.transfer.reading import Unreadable

    settings = _settings(config, assignments)
    store = store_of(settings)
    try:
        report = asyncio.run(_import(settings, store, _source(source, slack), resume, strict))
    except Unreadable as error:
        raise Problem(f"{error}.", "see `hubbub import --help`: is it the right file?") from error
    except OSError as error:
        raise Problem(f"cannot read {source}: {error.strerror or error}.") from error
    counts = _counted(report.counts)
    if report.again:
        print(f"{source} was imported before: {counts}")
        return 0
    print(f"{source}: {counts}")
    if not report.whole:
        raise Problem(
            f"{source} ends early: it has no `end`.", "with the whole file, go on with --resume.", status=1
        )
    return 1 if report.counts.faults else 0


def _source(path: Path, slack: bool) -> Source:
    if slack:
        from hubbub.transfer.slack import SlackExport

        return SlackExport(path)
    from hubbub.transfer.reading import LineFile

    return LineFile(path)


async def _export(config: Config, store: Store, file: BinaryIO) -> dict[str, int]:
    import time

    from hubbub.transfer.exporting import Exporter

    async with started(store):
        exporter = Exporter(store, config, time.time())
        with _Bar("exporting", await exporter.total()) as advance:
            async for raw in exporter.lines():
                await asyncio.to_thread(file.write, raw)
                advance(exporter.counts["message"], _said(exporter.counts))
    return dict(exporter.counts)


async def _import(config: Config, store: Store, source: Source, resume: bool, strict: bool) -> Report:
    from hubbub.transfer.importing import Importer

    shown = 0

    def tell(number: int, why: str) -> None:
        nonlocal shown
        shown += 1
        if shown <= SHOWN:
            print(f"line {number}: {why}", file=sys.stderr)
        elif shown == SHOWN + 1:
            print("... and more", file=sys.stderr)

    async with started(store):
        with _Bar("importing", source.size) as advance:
            importer = Importer(
                store,
                config,
                source,
                strict=strict,
                progress=lambda counts, place: advance(place, _counted(counts)),
                tell=tell,
            )
            return await importer.run(resume=resume)


def _counted(counts: Counts) -> str:
    from msgspec.structs import asdict

    found = {name[:-1]: count for name, count in asdict(counts).items() if name.endswith("s")}
    faults = found.pop("fault")
    return _said({**found, "already there": counts.known, "fault": faults})


def _settings(config: Path | None, assignments: list[str] | None) -> Config:
    from hubbub.cli.settings import parse_assignments

    return load_config(config, **parse_assignments(assignments or ()))


def store_of(config: Config) -> Store:
    """The store of the settings."""
    from hubbub import registry
    from hubbub.clock import SystemClock
    from hubbub.telemetry.metrics import Metrics

    scheme = config.storage.url.get_secret_value().partition(":")[0].partition("+")[0]
    parts = registry.Parts(config, SystemClock(), Metrics(), "transfer")
    return registry.find(registry.STORES, scheme, "storage.url")(parts)


@asynccontextmanager
async def started(store: Store) -> AsyncIterator[None]:
    """With nobody who listens. Raises ConfigError if it is in use."""
    await store.start(lambda logged: None, lambda channel, offset: None)
    try:
        yield
    finally:
        await store.stop()


def _said(counts: dict[str, int]) -> str:
    """`3 users, 1 message, 2 already there`."""
    found = [
        f"{count:,} {name}" + ("" if count == 1 or name == "already there" else "s")
        for name, count in counts.items()
        if count and name not in ("workspace", "end", "cursor")
    ]
    return ", ".join(found) or "nothing"


class _Bar:
    """Progress on a terminal; nothing elsewhere."""

    def __init__(self, what: str, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn(what), BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        console = Console(stderr=True)
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task("", total=max(total, 1))

    def __enter__(self) -> Callable[[int, str], None]:
        self._progress.start()
        return lambda done, said: self._progress.update(self._task, completed=done, description=said)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
