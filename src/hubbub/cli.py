"""The command line."""

from __future__ import annotations

import typer

from hubbub import config as settings
from hubbub.app import Hubbub, new_secret

cli = typer.Typer(no_args_is_help=True, add_completion=False)


@cli.command()
def serve(dev: bool = False, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Run the server."""
    config = settings.load(server={"host": host, "port": port})
    if dev:
        config = settings.development(config, new_secret())
    Hubbub(config).run(ready=lambda host, port: typer.echo(f"http://{host}:{port}"))


@cli.command()
def version() -> None:
    """Print the version."""


def main() -> None:
    cli()
