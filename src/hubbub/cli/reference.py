"""What the reference pages and people at a terminal look up: error codes, metrics, the version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from hubbub import __version__

Markdown = Annotated[bool, typer.Option("--markdown", help="As tables for the documentation.")]


def add_to(cli: typer.Typer) -> None:
    cli.command("errors")(errors)
    cli.command("metrics")(metrics)
    cli.command("version")(version)


def version() -> None:
    """Print the version."""
    print(__version__)


def errors(
    code: Annotated[str | None, typer.Argument(help="One code or name.", show_default="all")] = None,
    markdown: Markdown = False,
) -> None:
    """List error and disconnect codes, and what to do about each."""
    from hubbub.errors import DISCONNECTS, ERRORS

    refusals = [
        (int(number), row.name, row.status, _yes(row.temporary), row.text, row.advice)
        for number, row in ERRORS.items()
    ]
    endings = [
        (row.code, row.name, _yes(row.reconnect), _yes(row.resumable), row.text, row.advice)
        for row in DISCONNECTS.values()
    ]
    if markdown:
        print("## Errors\n")
        print(_table(("Code", "Name", "HTTP status", "Temporary", "Meaning", "What to do"), refusals))
        print("\n## Disconnects\n")
        print(_table(("Code", "Name", "Reconnect", "Resumable", "Meaning", "What to do"), endings))
        return
    for title, rows in (("Errors", refusals), ("Disconnects", endings)):
        found = [row for row in rows if code is None or code in (str(row[0]), row[1])]
        if found and code is None:
            print(f"{title}\n")
        for row in found:
            print(f"  {row[0]:<6}{row[1]:<22}{row[4]}")
            print(f"  {'':<28}{row[5]}")
        if found and code is None:
            print()
    if code is not None and not any(code in (str(row[0]), row[1]) for row in (*refusals, *endings)):
        from hubbub.cli.output import Problem

        raise Problem(f"there is no code {code}.", "`hubbub errors` lists them all.")


def metrics(markdown: Markdown = False) -> None:
    """List the metrics at /metrics."""
    from hubbub.telemetry.metrics import TABLE

    rows = [
        (f"hubbub_{name}{'_total' if kind == 'counter' else ''}", kind, ", ".join(labels), text)
        for name, (kind, text, labels) in TABLE.items()
    ]
    if markdown:
        named = [
            (f"`{name}`", kind, ", ".join(f"`{each}`" for each in labels.split(", ") if each), text)
            for name, kind, labels, text in rows
        ]
        print(_table(("Metric", "Type", "Labels", "Meaning"), named))
        return
    for name, kind, labels, text in rows:
        print(f"  {name + (f'{{{labels}}}' if labels else ''):<52}{kind}")
        print(f"    {text}")


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"
