"""`hubbub demo`: a server with people in it, to be looked at by two browser windows side by side."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hubbub.cli.credentials import DIRECTORY, base_url, load_config, sign
from hubbub.cli.output import coloured

if TYPE_CHECKING:
    import socket

    from hubbub.config import Config

FOLDER = DIRECTORY / "demo"
LIFETIME = 86_400.0
Count = Annotated[
    int, typer.Option(min=0, max=1_000_000, help="Write so many older messages into General, too.")
]


def add_to(cli: typer.Typer) -> None:
    cli.command("demo")(demo)


def demo(
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 takes a free one.", show_default="8000")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Go on with the workspace of the last time.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Let nobody write while you look.", show_default=False)
    ] = False,
    messages: Count = 0,
    conversations: Annotated[
        int, typer.Option(min=0, max=10_000, help="Add so many groups of Ada's and Bob's.")
    ] = 0,
) -> None:
    """Run a server for development with a lively workspace in it, and say how to look at it as two people.

    It is made anew at each start, in .hubbub/demo of this directory, and is nobody's work: other databases are left
    alone.
    """
    from hubbub.cli.development import develop
    from hubbub.cli.serve import open_socket
    from hubbub.telemetry import logging

    folder = (
        FOLDER
        if FOLDER.parent.exists() or _may_make(FOLDER.parent)
        else Path(tempfile.mkdtemp(prefix="hubbub-"))
    )
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    fresh = not (folder / "hubbub.db").exists()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = {"server": {name: value for name, value in (("host", host), ("port", port)) if value is not None}}
    config, _, _ = develop(load_config(None, **flags))
    config = _settle(config, folder)
    logging.configure(config.telemetry)
    sock = open_socket(config)
    if fresh:
        print("  Making the workspace ...", flush=True)
        asyncio.run(_fill(config, messages, conversations))
    asyncio.run(_run(config, sock, fresh, quiet))
    print("  Stopped.")


def _may_make(directory: Path) -> bool:
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        (directory / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError:
        return False
    return True


def _settle(config: Config, folder: Path) -> Config:
    """With a database, files and logs of its own."""
    from pydantic import SecretStr

    storage = config.storage.model_copy(update={"url": SecretStr(f"sqlite:///{folder / 'hubbub.db'}")})
    attachments = config.attachments.model_copy(update={"url": SecretStr(f"file:{folder / 'files'}")})
    broker = config.broker.model_copy(update={"snapshot": None})
    chat = config.chat.model_copy(update={"enabled": True})
    previews = config.previews.model_copy(
        update={"enabled": False}
    )  # the addresses that people name are made up
    return config.model_copy(
        update={
            "storage": storage,
            "attachments": attachments,
            "broker": broker,
            "chat": chat,
            "previews": previews,
        }
    )


async def _fill(config: Config, messages: int, conversations: int) -> None:
    from hubbub.cli.transfers import started, store_of
    from hubbub.demo.history import Week
    from hubbub.transfer.importing import Importer

    store = store_of(config)
    async with started(store):
        week = Week(time.time(), messages=messages, conversations=conversations)
        await Importer(store, config, week, strict=True).run()


async def _run(config: Config, sock: socket.socket, fresh: bool, quiet: bool) -> None:
    from hubbub.app import Hubbub
    from hubbub.demo.today import begin_the_day

    server = Hubbub(config)
    life: asyncio.Task[None] | None = None

    def ready(host: str, port: int) -> None:
        nonlocal life
        url = base_url(config, host, port)
        print(_banner(url, quiet), flush=True)
        if not quiet:
            life = asyncio.create_task(_live(config, url))

    try:
        if fresh:
            await server.start()
            await begin_the_day(server.chat)
        await server.serve(ready=ready, sock=sock)
    finally:
        if life is not None:
            life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await life


async def _live(config: Config, url: str) -> None:
    from hubbub.client import ClientError
    from hubbub.demo.bustle import bustle
    from hubbub.errors import HubbubError

    with contextlib.suppress(ClientError, HubbubError):  # the server stops
        await bustle(url, lambda user: sign(config, user, LIFETIME))


def _banner(url: str, quiet: bool) -> str:
    import sys

    bold, dim, off = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if coloured(sys.stdout) else ("", "", "")
    others = "" if quiet else "Six colleagues are at work and write now and then (--quiet stops them).\n  "
    return (
        f"\n  {bold}A workspace to look at{off}\n\n"
        f"  {dim}Open both, side by side:{off}\n\n"
        f"  Ada   {url}/?as=ada\n"
        f"  Bob   {url}/?as=bob\n\n"
        f"  {dim}{others}Ada moderates: something waits for her. Ctrl-C stops the server.{off}\n"
    )
