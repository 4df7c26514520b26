"""`hubbub serve`: the plain server, or yours; with `--dev` everything one needs to try it."""

from __future__ import annotations

import errno
import importlib
import os
import socket
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubbub.cli.output import Problem

if TYPE_CHECKING:
    from hubbub.app import Hubbub
    from hubbub.config import Config


def add_to(cli: typer.Typer) -> None:
    cli.command("serve")(serve)


def serve(
    application: Annotated[
        str | None,
        typer.Argument(metavar="[APP]", help="Your server, as `module:attribute`; the plain one without."),
    ] = None,
    dev: Annotated[
        bool, typer.Option("--dev", help="Make up secrets, open everything to loopback, show what to try.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings file.", show_default="hubbub.toml, if it exists")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 takes a free one.", show_default="8000")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.FIELD=VALUE", help="Any other setting; may be repeated."),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(min=1, help="Processes that share the port; more than one need a broker beside them."),
    ] = 1,
    worker: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the server until it is told to stop (SIGTERM or Ctrl-C; a second one hurries)."""
    from hubbub import config as settings
    from hubbub.cli import workers as several
    from hubbub.cli.settings import parse_assignments
    from hubbub.telemetry import logging

    flags: dict[str, Any] = parse_assignments(assignments or ())
    for name, value in (("host", host), ("port", port)):
        if value is not None:
            flags.setdefault("server", {})[name] = value
    chosen = settings.load(config, **flags)
    banner = None
    if dev or chosen.dev:
        from hubbub.cli.development import Banner, develop

        chosen, keys, kept = develop(chosen)
        banner = Banner(chosen, keys, kept, usual=settings.load(config).server)
    settings.validate(chosen, tokens=application is None)  # an application may bring its own Policy
    server = _server(application, chosen, flagged=bool(dev or flags))
    if workers > 1:
        several.check(server.config, workers)
        with open_socket(server.config) as free:  # nobody else has the port
            found = free.getsockname()[1]
        arguments = _again(application, config, host, assignments)
        logging.configure(server.config.telemetry)
        with _reserved(server.config, found):
            raise typer.Exit(several.supervise(arguments, found, server.config, workers))
    if worker is not None:
        several.die_with_parent()
        found, pipe = several.parse(worker)
        logging.configure(server.config.telemetry)
        shared = open_socket(server.config, port=found, shared=True)
        server.run(ready=lambda *_: several.tell(pipe), sock=shared)
        return
    sock = open_socket(server.config)
    logging.configure(server.config.telemetry)
    server.run(ready=banner, sock=sock)
    if banner is not None:
        print("  Stopped.")


def _again(
    application: str | None, config: Path | None, host: str | None, assignments: list[str] | None
) -> list[str]:
    """The arguments with which workers are started: all but those about the port and their number."""
    given = [] if application is None else [application]
    for name, value in (("--config", config), ("--host", host)):
        if value is not None:
            given += [name, str(value)]
    for assignment in assignments or ():
        given += ["--set", assignment]
    return given


def _reserved(config: Config, port: int) -> socket.socket:
    """The port, held for workers that come and go. Nothing reaches a socket that does not listen."""
    version = socket.AF_INET6 if ":" in config.server.host else socket.AF_INET
    sock = socket.socket(version, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((config.server.host, port))
    return sock


def _server(application: str | None, config: Config, *, flagged: bool) -> Hubbub:
    from hubbub import config as settings
    from hubbub.app import Hubbub

    if application is None:
        return Hubbub(config)
    with settings.chosen(config):
        server = load_application(application)
    if flagged and server.config is not config:
        raise Problem(
            f"{application} brings its own Config, which flags do not change.",
            "build it as Hubbub() without a config, or start it without flags.",
        )
    return server


def load_application(name: str) -> Hubbub:
    """The Hubbub called `module:attribute` (`:app` may be left out). Raises Problem, which says what is wrong."""
    from hubbub.app import Hubbub

    module_name, _, attribute = name.partition(":")
    attribute = attribute or "app"
    if module_name.endswith(".py"):
        raise Problem(
            f"{name} is a file, not a module.", f"say {module_name[:-3].replace('/', '.')}:{attribute}"
        )
    sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise Problem(
                f"there is no module {error.name} here.",
                f"run this where {error.name.split('.')[0]}.py is, or install it; the form is module:attribute.",
            ) from error
        raise Problem(
            f"{module_name} imports {error.name}, which is not installed.", f"pip install {error.name}"
        ) from error
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        raise Problem(
            f"{module_name} cannot be imported: {type(error).__name__}: {error} "
            f"({Path(frame.filename).name}, line {frame.lineno}).",
            "HUBBUB_DEBUG=1 shows the whole traceback.",
        ) from error
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if isinstance(found, Hubbub):
        return found
    known = [f"{module_name}:{key}" for key, value in vars(module).items() if isinstance(value, Hubbub)]
    what = (
        f"there is no {attribute}"
        if found is None
        else f"{attribute} is a {type(found).__name__}, not a Hubbub,"
    )
    advice = f"it has {' and '.join(known)}." if known else f"make one in it: {attribute} = Hubbub()"
    raise Problem(f"{what} in {module_name}.", advice)


def open_socket(config: Config, *, port: int | None = None, shared: bool = False) -> socket.socket:
    from hubbub.transports.server import listen

    server = config.server
    port = server.port if port is None else port
    where = f"{server.host}:{port}"
    try:
        return listen(server.host, port, server.backlog, shared=shared)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Problem(
                f"{where} is in use by another program.",
                "stop that one, or choose another port: --port 8001, or --port 0 for any free one.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise Problem(
                f"this user may not listen on {where}.", "choose a port above 1023, such as --port 8000."
            ) from error
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise Problem(
                f"{server.host} is not an address of this machine.",
                "--host 127.0.0.1 is for this machine only, --host 0.0.0.0 for all networks.",
            ) from error
        raise Problem(
            f"cannot listen on {where}: {error.strerror}.", "`hubbub doctor` looks for causes."
        ) from error
