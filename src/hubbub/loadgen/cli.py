"""`hubbub bench`: one command per scenario."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from hubbub.loadgen import SCENARIOS, BenchError, Options, Report, Target, own_server, run
from hubbub.loadgen.adapters import ADAPTERS

bench_app = typer.Typer(
    name="bench",
    no_args_is_help=True,
    add_completion=False,
    help="Load a server and say how it did. Without --url, a `hubbub serve --dev` of its own is started.",
)

DEFAULTS: dict[str, Options] = {
    "connect": Options(connections=3_000, in_flight=64),
    "fanout": Options(connections=1_000),
    "latency": Options(connections=10_000, seconds=10),
    "echo": Options(connections=200),
    "memory": Options(connections=10_000, seconds=5),
    "stall": Options(connections=1_000, rate=20_000, seconds=10),
    "hold": Options(connections=18_000, seconds=60),
    "poll": Options("socketio", connections=200),
    "poll-echo": Options("socketio", connections=200),
}


def _add(scenario: str) -> None:
    default = DEFAULTS[scenario]

    def command(
        url: Annotated[
            str | None, typer.Option(help="Server, ws://host:port.", show_default="a server of its own")
        ] = None,
        token: Annotated[str | None, typer.Option(help="Token that every connection uses.")] = None,
        secret: Annotated[
            str | None,
            typer.Option(
                envvar="HUBBUB_AUTH__HMAC_SECRET", help="Secret to make a token per connection with."
            ),
        ] = None,
        pid: Annotated[int | None, typer.Option(help="The server's process id, to read its memory.")] = None,
        protocol: Annotated[str, typer.Option(help=f"One of: {', '.join(ADAPTERS)}.")] = default.protocol,
        connections: Annotated[int, typer.Option("--connections", "-c", min=1)] = default.connections,
        in_flight: Annotated[
            int, typer.Option(min=1, help="Publishes or connects on their way at once.")
        ] = default.in_flight,
        size: Annotated[
            int, typer.Option(min=126, max=60_000, help="Bytes of a message's data.")
        ] = default.size,
        seconds: Annotated[float, typer.Option(min=0.1, help="How long to measure.")] = default.seconds,
        warmup: Annotated[float, typer.Option(min=0, help="Seconds before measuring.")] = default.warmup,
        rate: Annotated[
            float, typer.Option(min=1, help="Deliveries a second, where they are paced.")
        ] = default.rate,
        group: Annotated[
            int, typer.Option(min=1, help="Subscribers of a channel, where there are many.")
        ] = default.group,
        json: Annotated[
            Path | None, typer.Option("--json", help="Write the report to this file; - is stdout.")
        ] = None,
    ) -> None:
        if protocol not in ADAPTERS:
            raise typer.BadParameter(
                f"no such protocol; there are {', '.join(ADAPTERS)}", param_hint="--protocol"
            )
        if url is None and protocol != "hubbub" and scenario != "connect":
            raise typer.BadParameter(
                f"needs --url: a server of its own has no handlers for what {scenario} sends",
                param_hint="--protocol",
            )
        options = replace(
            default,
            protocol=protocol,
            connections=connections,
            in_flight=in_flight,
            size=size,
            seconds=seconds,
            warmup=warmup,
            rate=rate,
            group=group,
        )
        try:
            with contextlib.ExitStack() as stack:
                target = Target(url, secret, token, pid) if url else stack.enter_context(own_server())
                report = run(scenario, options, target, stack.enter_context(_bar(scenario)))
        except BenchError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from error
        _show(report, json)

    command.__doc__ = SCENARIOS[scenario].__doc__
    bench_app.command(scenario)(command)


@contextlib.contextmanager
def _bar(scenario: str) -> Iterator[Callable[[str, float], object]]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:12}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    # No refresh thread: it would take the interpreter from the generator. It is drawn when there is news.
    with Progress(
        *columns, console=console, transient=True, auto_refresh=False, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(scenario, total=1.0)
        shown = ("", -1)

        def show(doing: str, share: float) -> None:
            nonlocal shown
            if shown != (doing, int(share * 20)):
                shown = (doing, int(share * 20))
                bar.update(task, description=doing, completed=share, refresh=True)

        yield show


def _show(report: Report, path: Path | None) -> None:
    if path is not None and str(path) == "-":
        typer.echo(report.json())
        return
    table = Table(title=f"{report.scenario}: {report.protocol}", title_justify="left")
    table.add_column("measure")
    table.add_column("value", justify="right")
    for name, value in report.rows():
        table.add_row(name, value)
    Console().print(table)
    if path is not None:
        path.write_bytes(report.json() + b"\n")


for _scenario in SCENARIOS:
    _add(_scenario)
