"""`hubbub bench`: the load generator, handed its arguments as they are, so that nobody else pays for its import."""

from __future__ import annotations

import typer


def add_to(cli: typer.Typer) -> None:
    cli.command(
        "bench",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )(bench)


def bench(context: typer.Context) -> None:
    """Load a server and say how it did."""
    from hubbub.loadgen.cli import bench_app

    status = bench_app(args=context.args or ["--help"], prog_name="hubbub bench", standalone_mode=False)
    raise typer.Exit(status or 0)
