"""What `serve --dev` adds: keys that survive a restart, and a page of things to try, each ready to paste."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hubbub import __version__
from hubbub.cli.credentials import DIRECTORY, FILE, DevelopmentKeys, base_url, development_keys, sign
from hubbub.cli.output import coloured, words

if TYPE_CHECKING:
    from hubbub.config import Config, ServerConfig

USER, CHANNEL = "alice", "lobby"
TOKEN_LIFETIME = 30 * 86400.0
DRAIN_WINDOW = 1.0
"""Seconds: nobody waits ten for a restart while developing."""
LEVELS = frozenset({"busy", "overloaded", "critical"})
NEVER = 1000.0
"""A share of capacity that is never reached: who compiles beside the server is not to be turned away by it."""


def develop(config: Config) -> tuple[Config, DevelopmentKeys, bool]:
    """`config` for development, the keys that open it, and whether they are kept for the next start."""
    from pydantic import SecretStr

    from hubbub import config as settings
    from hubbub.auth.api_keys import hash_key

    keys, kept = development_keys()
    config = settings.development(config, keys.secret)
    api_keys = (*config.auth.api_keys, hash_key(keys.api_key))
    changes: dict[str, object] = {"auth": config.auth.model_copy(update={"api_keys": api_keys})}
    if "drain_window" not in config.server.model_fields_set:
        changes["server"] = config.server.model_copy(update={"drain_window": DRAIN_WINDOW})
    if not LEVELS & config.load.model_fields_set:
        changes["load"] = config.load.model_copy(update=dict.fromkeys(LEVELS, NEVER))
    if kept and config.broker.snapshot is None:
        changes["broker"] = config.broker.model_copy(update={"snapshot": DIRECTORY / "channels.json"})
    if "log_level" not in config.telemetry.model_fields_set:
        changes["telemetry"] = config.telemetry.model_copy(update={"log_level": "warning"})
    if "url" not in config.storage.model_fields_set:
        directory = DIRECTORY if kept else Path(tempfile.mkdtemp(prefix="hubbub-"))
        url = SecretStr(f"sqlite:///{directory / 'hubbub.db'}")
        changes["storage"] = config.storage.model_copy(update={"url": url})
    return config.model_copy(update=changes), keys, kept


class Banner:
    """Called when the server listens: prints the address, a token, a key and commands to paste.

    `usual` says where clients look for a server by themselves; elsewhere the commands name the address.
    """

    def __init__(self, config: Config, keys: DevelopmentKeys, kept: bool, *, usual: ServerConfig) -> None:
        self._config = config
        self._keys = keys
        self._kept = kept
        self._usual = usual

    def __call__(self, host: str, port: int) -> None:
        print(self.text(host, port), flush=True)

    def text(self, host: str, port: int) -> str:
        config = self._config
        terminal = sys.stdout.isatty()
        url = base_url(config, host, port)
        lifetime = min(TOKEN_LIFETIME, config.auth.max_lifetime)
        # Where rules are configured, they may ask for permissions.
        rules = (config.default, *config.namespaces.values())
        wide = any(each.subscribe == "permitted" or each.publish == "permitted" for each in rules)
        token = sign(config, USER, lifetime, channels={"*": ["*"]} if wide else None)
        at = "" if (host, port) == (self._usual.host, self._usual.port) else f" --url {url}"
        # On a terminal a command is broken as a shell allows it; piped, each is one line.
        turn = " \\\n  " if terminal else " "
        rows: list[tuple[str, str]] = [
            ("", f"Hubbub {__version__}, for development"),
            ("address", url),
        ]
        if config.web.enabled and config.chat.enabled:
            rows.append(("chat", f"{url}/"))
        if config.web.enabled and config.server.playground:
            rows.append(("playground", f"{url}/#/developer"))
        if config.server.docs:
            rows.append(("API", f"{url}/docs"))
        rows += [
            (f"token of {USER}, valid {words(lifetime)}", token),
            ("API key", self._keys.api_key),
            ("follow a channel (in this directory)", f"{program()} tail {CHANNEL}{at}"),
            (
                "follow it without any client",
                f"curl -N '{url}/v1/sse?channel={CHANNEL}'{turn}-H 'Authorization: Bearer {token}'",
            ),
            (
                "publish",
                f"curl {url}/v1/publish{turn}-H 'Content-Type: application/json'{turn}"
                f'-d \'{{"channel": "{CHANNEL}", "data": {{"text": "hello"}}}}\'{turn}'
                f"-H 'Authorization: Bearer {self._keys.api_key}'",
            ),
        ]
        kept = (
            f"Keys, logs and conversations are kept in {DIRECTORY}/ and outlive a restart."
            if self._kept
            else f"{FILE} cannot be written: the next start makes new keys."
        )
        return _layout(rows, [kept, "Ctrl-C stops the server."], colours=coloured(sys.stdout))


def _layout(rows: list[tuple[str, str]], notes: list[str], *, colours: bool) -> str:
    """Short rows in two columns; a long one, and any command, below its label at the margin, to be copied whole."""
    bold, dim, off = ("\x1b[1m", "\x1b[2m", "\x1b[0m") if colours else ("", "", "")
    lines = [""]
    for label, value in rows:
        if not label:
            lines += [f"  {bold}{value}{off}", ""]
        elif " " in label or len(value) > 60 or "\n" in value or label == "API key":
            lines += ["", f"  {dim}{label}{off}", value]
        else:
            lines.append(f"  {dim}{label:<12}{off}{value}")
    return "\n".join([*lines, "", *(f"  {dim}{note}{off}" for note in notes), ""])


def program() -> str:
    """How this installation's `hubbub` is called from a shell here."""
    beside = Path(sys.executable).with_name("hubbub")
    on_path = shutil.which("hubbub")
    if on_path is not None and os.path.realpath(on_path) == os.path.realpath(beside):
        return "hubbub"
    if beside.exists():
        relative = os.path.relpath(beside)
        return shlex.quote(relative if len(relative) < len(str(beside)) else str(beside))
    return f"{shlex.quote(sys.executable)} -m hubbub"
