"""`hubbub export` and `hubbub import`: a whole workspace out of the database, and into it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hubbub.cli.credentials import load_config
from hubbub.cli.output import Problem

if TYPE_CHECKING:
    from hubbub.config import Config
    from hubbub.storage.base import Store
    from hubbub.transfer.batches import Counts

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
    counts = asyncio.run(_export(settings, target))
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
    return asyncio.run(_import(_settings(config, assignments), source, slack, resume, strict))


async def _export(config: Config, target: Path) -> dict[str, int]:
    import time

    from hubbub.transfer.exporting import Exporter

    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    async with _store(config) as store:
        exporter = Exporter(store, config, time.time())
        total = await exporter.total()
        try:
            descriptor = os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file, _bar("exporting", total) as advance:
                async for raw in exporter.lines():
                    file.write(raw)
                    advance(exporter.counts["message"], _said(exporter.counts))
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, target)
        except OSError as error:
            raise Problem(f"cannot write {target}: {error.strerror}.", "see that there is room.") from error
        finally:
            partial.unlink(missing_ok=True)
    return dict(exporter.counts)


async def _import(config: Config, path: Path, slack: bool, resume: bool, strict: bool) -> int:
    from msgspec.structs import asdict

    from hubbub.transfer.importing import Importer
    from hubbub.transfer.reading import LineFile, Source, Unreadable

    shown = 0

    def tell(number: int, why: str) -> None:
        nonlocal shown
        shown += 1
        if shown <= SHOWN:
            print(f"line {number}: {why}", file=sys.stderr)
        elif shown == SHOWN + 1:
            print("... and more", file=sys.stderr)

    def said(counts: Counts) -> str:
        known = {f"{name[:-1]}": count for name, count in asdict(counts).items() if name.endswith("s")}
        return _said({**known, "already there": counts.known, "fault": counts.faults})

    try:
        source: Source
        if slack:
            from hubbub.transfer.slack import SlackExport

            source = SlackExport(path)
        else:
            source = LineFile(path)
        async with _store(config) as store:
            with _bar("importing", source.size) as advance:
                importer = Importer(
                    store,
                    config,
                    source,
                    strict=strict,
                    progress=lambda counts, place: advance(place, said(counts)),
                    tell=tell,
                )
                report = await importer.run(resume=resume)
    except Unreadable as error:
        raise Problem(f"{error}.", "see docs/how-to/import-export.md.") from error
    except OSError as error:
        raise Problem(f"cannot read {path}: {error.strerror or error}.") from error
    if report.again:
        print(f"{path} was imported before: {said(report.counts)}")
        return 0
    print(f"{path}: {said(report.counts)}")
    if not report.whole:
        raise Problem(
            f"{path} ends early: it has no `end`.", "with the whole file, go on with --resume.", status=1
        )
    return 1 if report.counts.faults else 0


def _settings(config: Path | None, assignments: list[str] | None) -> Config:
    from hubbub.cli.settings import parse_assignments

    return load_config(config, **parse_assignments(assignments or ()))


@asynccontextmanager
async def _store(config: Config) -> AsyncIterator[Store]:
    """The store of the settings, with nobody who listens. Raises ConfigError if it is in use."""
    from hubbub import registry
    from hubbub.clock import SystemClock
    from hubbub.telemetry.metrics import Metrics

    scheme = config.storage.url.get_secret_value().partition(":")[0].partition("+")[0]
    parts = registry.Parts(config, SystemClock(), Metrics(), "transfer")
    store = registry.find(registry.STORES, scheme, "storage.url")(parts)
    await store.start(lambda logged: None, lambda channel, offset: None)
    try:
        yield store
    finally:
        await store.stop()


def _said(counts: dict[str, int]) -> str:
    """`3 users, 1 message, 2 already there`."""
    return ", ".join(
        f"{count:,} {name}" + ("" if count == 1 or name == "already there" else "s")
        for name, count in counts.items()
        if count and name not in ("workspace", "end", "cursor")
    )


class _bar:
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
