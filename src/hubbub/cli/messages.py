"""`hubbub publish` and `hubbub tail`: into a channel, and out of it."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubbub.cli.credentials import base_url, load_config, require_api_key, sign, with_secret
from hubbub.cli.output import Problem, coloured

if TYPE_CHECKING:
    from hubbub.client import Client, Event
    from hubbub.model import Position, Publication, Subscribed

Url = Annotated[
    str | None,
    typer.Option(envvar="HUBBUB_URL", help="The server.", show_default="as configured here"),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Settings file.", show_default="hubbub.toml, if it exists")
]


def add_to(cli: typer.Typer) -> None:
    cli.command("publish")(publish)
    cli.command("tail")(tail)


# --- publish ----------------------------------------------------------------------------------------------


def publish(
    channel: Annotated[str, typer.Argument(help="Where to.")],
    data: Annotated[
        str, typer.Argument(help="JSON, or a text; - reads standard input, one publication a line.")
    ],
    event: Annotated[str, typer.Option(help="Name of the event.")] = "message",
    key: Annotated[str | None, typer.Option(help="Idempotency key: repeats are accepted once.")] = None,
    text: Annotated[bool, typer.Option("--text", help="Send DATA as text, even if it is JSON.")] = False,
    url: Url = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="HUBBUB_API_KEY", help="Key of the server API.", show_default="of --dev here"),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Publish to a channel by the server API."""
    from hubbub.cli.http import Api

    if not data.isprintable() and any("\ud800" <= character <= "\udfff" for character in data):
        raise Problem("DATA is not UTF-8.", "binary data goes as text, such as base64.")
    if data == "-" and key is not None:
        raise Problem("--key is for one publication, not for a line each.", "leave --key out.")
    api_key = require_api_key(api_key)
    lines = (line.rstrip("\r\n") for line in sys.stdin) if data == "-" else iter((data,))
    with Api(url or base_url(load_config(config)), api_key) as api:
        for line in lines:
            if data == "-" and not line.strip():
                continue
            body = {"channel": channel, "event": event, "data": _data(line, text)}
            if key is not None:
                body["key"] = key
            _print_published(api.post("/v1/publish", body))


def _data(line: str, text: bool) -> Any:
    """JSON where it is JSON; a text where it does not look like it."""
    if text:
        return line
    try:
        return json.loads(line, parse_constant=_no_constant)
    except ValueError as error:
        if line.lstrip()[:1] in ("{", "[", '"') and line.strip():
            raise Problem(
                f"DATA is not JSON: {error}.", "quote it for the shell: '{\"a\": 1}', or use --text."
            ) from error
        return line


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _print_published(answer: dict[str, Any]) -> None:
    if not sys.stdout.isatty():
        print(json.dumps(answer), flush=True)
        return
    position = answer.get("position")
    place = f" at {position['epoch']}:{position['offset']}" if position else ""
    print(f"published{place}{' (already)' if answer.get('duplicate') else ''}", flush=True)


# --- tail -------------------------------------------------------------------------------------------------


def tail(
    channels: Annotated[list[str], typer.Argument(help="Channels to follow.")],
    url: Url = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="HUBBUB_TOKEN", help="A token.", show_default="made with the secret here"),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="EPOCH:OFFSET", help="Begin after this position.")
    ] = None,
    presence: Annotated[bool, typer.Option("--presence", help="Show who joins and leaves.")] = False,
    config: ConfigFile = None,
) -> None:
    """Follow channels: live, and again after a lost connection. One JSON object a line when piped."""
    import asyncio

    from hubbub.client import ClientError

    settings = with_secret(load_config(config))
    if token is None and settings.auth.hmac_secret is None and not settings.auth.anonymous:
        raise Problem(
            "there is no token.",
            "give --token or HUBBUB_TOKEN (`hubbub token USER` makes one), or run this where "
            "`hubbub serve --dev` was started.",
        )

    def fresh() -> str:
        permissions = {name: ["subscribe", "history", "presence"] for name in channels}
        return sign(settings, "tail", min(3600.0, settings.auth.max_lifetime), channels=permissions)

    given = token if token is not None or settings.auth.hmac_secret is None else fresh
    show = _Screen(presence) if sys.stdout.isatty() else _Lines(presence)
    try:
        asyncio.run(_follow(url or base_url(settings), given, channels, _position(since), show))
    except ClientError as error:
        raise Problem(f"{error}.", "is the server running? `hubbub doctor` finds out.") from error


def _position(text: str | None) -> Position | None:
    from hubbub.model import Position

    if text is None:
        return None
    epoch, _, offset = text.rpartition(":")
    if not epoch or not offset.isdigit():
        raise Problem(f"--since {text}: not EPOCH:OFFSET.", "take it from an earlier `hubbub tail`.")
    return Position(epoch, int(offset))


async def _follow(
    url: str, token: Any, channels: list[str], since: Position | None, show: _Screen | _Lines
) -> None:
    from hubbub.client import Client

    async with Client(url, token, name="hubbub-tail") as client:
        for channel in channels:
            show.subscribed(client, await client.subscribe(channel, since=since, presence=False))
        async for event in client:
            show.event(event)


class _Lines:
    """For programs: one JSON object a line, tagged by `type` as in the protocol."""

    def __init__(self, presence: bool) -> None:
        self._presence = presence

    def subscribed(self, client: Client, reply: Subscribed) -> None:
        self._print({"type": "subscribed", "channel": reply.channel, **_placed(reply.position)})

    def event(self, event: Event) -> None:
        import msgspec

        from hubbub import client, model

        match event:
            case model.Publication() | model.ServerSubscribed() | model.ServerUnsubscribed():
                self._print(event)
            case model.Join() | model.Leave():
                if self._presence:
                    self._print(event)
            case client.Recovered():
                self._print({"type": "recovered", "channel": event.channel, "count": event.count})
            case client.Gap():
                after, position = msgspec.to_builtins((event.since, event.position))
                self._print({"type": "gap", "channel": event.channel, "since": after, "position": position})
            case client.Reconnecting():
                self._print({"type": "reconnecting", "reason": event.reason, "delay": round(event.delay, 3)})
            case client.Reconnected():
                self._print({"type": "reconnected", "resumed": event.resumed})

    def _print(self, value: object) -> None:
        import msgspec

        print(msgspec.json.encode(value).decode(), flush=True)


class _Screen:
    """For people: time, channel, event and sender, data."""

    def __init__(self, presence: bool) -> None:
        self._presence = presence
        self._colours = coloured(sys.stdout)

    def subscribed(self, client: Client, reply: Subscribed) -> None:
        at = f" after {reply.position.epoch}:{reply.position.offset}" if reply.position else ""
        self._say("32", f"following {reply.channel}{at} as {client.user or 'nobody'}; Ctrl-C ends")

    def event(self, event: Event) -> None:
        from hubbub import client, model

        match event:
            case model.Publication():
                self._publication(event)
            case model.Join() if self._presence:
                self._say("36", f"{event.channel}  {event.member.user or 'somebody'} joined")
            case model.Leave() if self._presence:
                self._say("36", f"{event.channel}  {event.member.user or 'somebody'} left")
            case model.ServerSubscribed():
                self._say("32", f"following {event.channel}: the server has put us in")
            case model.ServerUnsubscribed():
                self._say("31", f"out of {event.channel}: {event.reason}")
            case client.Recovered():
                self._say("32", f"recovered {event.count} in {event.channel}: nothing is missing")
            case client.Gap():
                self._say(
                    "1;31",
                    f"gap in {event.channel}: what came after {event.since.epoch}:{event.since.offset} is no "
                    f"longer kept; going on after {event.position.epoch}:{event.position.offset}",
                )
            case client.Reconnecting():
                if event.attempt == 1:
                    self._say("33", f"connection lost ({event.reason}); coming back")
                elif event.delay > 1:
                    self._say("33", f"no connection yet; attempt {event.attempt} in {event.delay:.0f} s")
            case client.Reconnected():
                self._say("32", f"connected again, {'same' if event.resumed else 'new'} session")

    def _publication(self, publication: Publication) -> None:
        from hubbub.telemetry.redaction import escape

        moment = (
            datetime.fromtimestamp(publication.time).strftime("%H:%M:%S") if publication.time else "--:--:--"
        )
        sender = f" {escape(publication.sender)}" if publication.sender else ""
        offset = f" #{publication.offset}" if publication.offset is not None else ""
        print(
            f"{self._paint('2', moment)} {self._paint('36', escape(publication.channel))}"
            f"{self._paint('2', offset)} {self._paint('1', escape(publication.event))}"
            f"{self._paint('35', sender)}  {escape(bytes(publication.data).decode())}",
            flush=True,
        )

    def _say(self, colour: str, text: str) -> None:
        from hubbub.telemetry.redaction import escape

        print(
            f"{self._paint('2', datetime.now().strftime('%H:%M:%S'))} {self._paint(colour, escape(text))}",
            flush=True,
        )

    def _paint(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours else text


def _placed(position: Position | None) -> dict[str, Any]:
    return {"position": {"epoch": position.epoch, "offset": position.offset}} if position else {}
