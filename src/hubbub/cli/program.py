"""All commands under one name, and one place where what they raise becomes two lines on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from hubbub import __version__
from hubbub.cli import (
    backup,
    bench,
    chat,
    configuration,
    conversations,
    deadletters,
    demo,
    doctor,
    keeping,
    messages,
    migrate,
    moderation,
    reference,
    serve,
    token,
    transfers,
    users,
)
from hubbub.cli.output import FAILED, Problem, report
from hubbub.errors import ConfigError, HubbubError

cli = typer.Typer(
    name="hubbub",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Self-hosted real-time messaging: channels, presence and gapless recovery.",
    epilog="Begin with `hubbub serve --dev`. A traceback for an error: `HUBBUB_DEBUG=1`.",
)
for module in (
    serve,
    demo,
    token,
    messages,
    deadletters,
    configuration,
    doctor,
    backup,
    migrate,
    transfers,
    users,
    conversations,
    moderation,
    keeping,
    chat,
    bench,
    reference,
):
    module.add_to(cli)


@cli.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        print(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the answer is the exit status. With HUBBUB_DEBUG=1 exceptions come through."""
    try:
        status = cli(args=arguments, prog_name="hubbub", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone. What is left must not be flushed at exit; typer's own status is 1 too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get("HUBBUB_DEBUG", "") not in ("", "0"):
            raise
        return _explain(error)


def _explain(error: Exception) -> int:
    if isinstance(error, typer.Abort):
        return 130
    if isinstance(error, Problem):
        return report(error)
    if isinstance(error, ConfigError):
        for fault in str(error).removeprefix("wrong settings:").strip().split("\n"):
            what, _, advice = fault.strip().partition(". ")
            report(Problem(what.rstrip(".") + ".", advice or "`hubbub config doc` describes every setting."))
        return FAILED
    if isinstance(error, HubbubError):
        return report(Problem(str(error), error.info.advice))
    if hasattr(error, "format_message"):  # what typer's parser raises
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "hubbub"
        return report(Problem(error.format_message().rstrip(".") + ".", f"see `{path} --help`."))
    return report(
        Problem(f"{type(error).__name__}: {error}", "HUBBUB_DEBUG=1 shows where; this should not happen.")
    )
