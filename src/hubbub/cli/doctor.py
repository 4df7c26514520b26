"""`hubbub doctor`: looks at what usually goes wrong, and says what to do about it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hubbub.cli.output import coloured


def add_to(cli: typer.Typer) -> None:
    cli.command("doctor")(doctor)


def doctor(
    url: Annotated[
        str | None,
        typer.Option(envvar="HUBBUB_URL", help="The server to ask.", show_default="as configured here"),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings file.", show_default="hubbub.toml, if it exists")
    ] = None,
) -> None:
    """Check this machine, the settings and the running server; exit with 1 if something is broken."""
    from hubbub.cli.checks import examine
    from hubbub.telemetry.redaction import escape

    colours = {"ok": "\x1b[32m", "warn": "\x1b[33m", "fail": "\x1b[1;31m"} if coloured(sys.stdout) else {}
    failed = False
    for finding in examine(config, url):
        failed = failed or finding.verdict == "fail"
        mark = f"{colours.get(finding.verdict, '')}{finding.verdict:<5}{chr(27) + '[0m' if colours else ''}"
        print(f"{mark} {finding.subject:<12} {escape(finding.text)}")
        if finding.advice:
            print(f"{'':<19}{escape(finding.advice)}")
    if failed:
        raise typer.Exit(1)
