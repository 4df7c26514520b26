"""`hubbub token`: make tokens, secrets and API keys, and explain a token that does not work."""

from __future__ import annotations

import base64
import binascii
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hubbub.cli.credentials import load_config, new_secret, sign, with_secret
from hubbub.cli.output import Problem, seconds, words

if TYPE_CHECKING:
    from hubbub.config import Config


def add_to(cli: typer.Typer) -> None:
    cli.command("token")(token)


def token(
    user: Annotated[str | None, typer.Argument(help="Whom the token speaks for.")] = None,
    ttl: Annotated[str, typer.Option(help="How long it is valid: 90s, 15m, 1h, 7d.")] = "1h",
    channels: Annotated[
        list[str] | None,
        typer.Option(
            "--channel",
            metavar="PATTERN=OPS",
            help="Allow operations (subscribe, publish, history, presence, or *) on channels: "
            "'orders:*=subscribe,history'. May be repeated.",
        ),
    ] = None,
    kind: Annotated[str, typer.Option(help="person, agent or service.")] = "person",
    info: Annotated[
        str | None, typer.Option(metavar="JSON", help="Public object that presence shows.")
    ] = None,
    subscribe: Annotated[
        list[str] | None,
        typer.Option("--subscribe", metavar="NAME", help="Channel entered on connecting. May be repeated."),
    ] = None,
    token_id: Annotated[str | None, typer.Option("--id", help="Its `jti`, to revoke it by.")] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            help="Secret to sign with; - reads it from standard input.", show_default="the configuration's"
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings file.", show_default="hubbub.toml, if it exists")
    ] = None,
    make_secret: Annotated[
        bool, typer.Option("--new-secret", help="Print a new secret for auth.hmac_secret.")
    ] = False,
    make_key: Annotated[
        bool, typer.Option("--api-key", help="Print a new key for the server API, and its hash.")
    ] = False,
    check: Annotated[
        str | None, typer.Option("--check", metavar="TOKEN", help="Explain a token; - reads it.")
    ] = None,
) -> None:
    """Make a token for a user; or a secret, or an API key; or explain a token."""
    if sum((user is not None, make_secret, make_key, check is not None)) != 1:
        raise Problem(
            "say one of: a user, --new-secret, --api-key, --check TOKEN.", "for example: hubbub token alice"
        )
    if make_secret:
        print(new_secret())
        return
    if make_key:
        _print_key()
        return
    if secret == "-":
        secret = sys.stdin.readline().strip()
    settings = with_secret(load_config(config), secret)
    if check is not None:
        explain(sys.stdin.read().strip() if check == "-" else check.strip(), settings)
        return
    assert user is not None
    made = sign(
        settings,
        user,
        _lifetime(ttl, settings),
        kind=kind,
        info=_info(info),
        channels=_permissions(channels or ()),
        subscribe=subscribe or (),
        token_id=token_id,
    )
    # Verified before it is given away: a server would say the same, only later.
    _verify(made, settings)
    print(made)


def _print_key() -> None:
    from hubbub.auth.api_keys import new_key

    key, digest = new_key()
    print(key)
    print(
        f"\nThe key is shown this once. What the server is given is its hash:\n\n"
        f"  HUBBUB_AUTH__API_KEYS='[\"{digest}\"]'\n\n"
        f'or, in hubbub.toml\n\n  [auth]\n  api_keys = ["{digest}"]',
        file=sys.stderr if not sys.stdout.isatty() else sys.stdout,
    )
    if not sys.stdout.isatty():
        print(digest)


def _lifetime(text: str, config: Config) -> float:
    try:
        ttl = seconds(text)
    except ValueError as error:
        raise Problem(f"--ttl: {error}.", "say for example --ttl 1h") from error
    if not 0 < ttl <= config.auth.max_lifetime:
        raise Problem(
            f"--ttl {text}: tokens live up to {words(config.auth.max_lifetime)} (auth.max_lifetime).",
            "choose a shorter time, or raise the setting on the server too.",
        )
    return ttl


def _permissions(grants: list[str] | tuple[str, ...]) -> dict[str, list[str]] | None:
    channels: dict[str, list[str]] = {}
    for grant in grants:
        # A channel's name may hold `=`, an operation's never does.
        pattern, equals, names = grant.rpartition("=")
        if not equals or not pattern:
            raise Problem(
                f"--channel {grant}: not a pattern and operations.",
                "say --channel 'orders:*=subscribe,history'",
            )
        channels.setdefault(pattern, []).extend(name.strip() for name in names.split(",") if name.strip())
    return channels or None


def _info(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Problem(f"--info is not JSON: {error}.", 'say --info \'{"name": "Alice"}\'') from error
    if not isinstance(value, dict):
        raise Problem("--info is not a JSON object.", 'say --info \'{"name": "Alice"}\'')
    return value


def _verify(token: str, config: Config) -> None:
    """Raises HubbubError with the check that fails."""
    from hubbub.auth.keys import load_keys
    from hubbub.auth.tokens import KeySet, TokenRules, verify, verify_subscription

    auth = config.auth
    rules = TokenRules(
        auth.audience,
        auth.issuer,
        auth.leeway,
        auth.max_lifetime,
        auth.token_bytes,
        config.limits.channel_length,
    )
    judge = verify_subscription if "channel" in _part(token, 1) else verify
    judge(token, KeySet(load_keys(auth)), rules, time.time())


def explain(token: str, config: Config) -> None:
    """Print what a token says and whether this configuration's server takes it. Exits with 1 if not."""
    from hubbub.config import authenticates
    from hubbub.errors import HubbubError

    fault = ""
    if not authenticates(config):
        fault = "not verified: there are no keys here; give --secret or --config"
    else:
        try:
            _verify(token, config)
        except HubbubError as error:
            fault = error.message
            if config.auth.jwks_url is not None and "key id" in fault:
                fault += " (keys at auth.jwks_url are not fetched by this command)"
    header, claims, now = _part(token, 0), _part(token, 1), time.time()
    rows: list[tuple[str, str]] = [("token", fault or "valid")]
    kind = "subscription" if "channel" in claims else "connection"
    if claims:
        rows.append(("for", f"{claims.get('sub', '-')} ({claims.get('kind', 'person')}), {kind} token"))
    for name, label in (("iat", "issued"), ("nbf", "valid from"), ("exp", "expires")):
        if name in claims:
            rows.append((label, _moment(claims[name], now)))
        elif claims and name != "nbf":
            rows.append((label, f"{name} is missing"))
    for pattern, operations in _items(claims.get("channels")):
        rows.append(("channels", f"{pattern}  {_listed(operations)}"))
    for name, label in (
        ("channel", "channel"),
        ("operations", "operations"),
        ("subscribe", "enters"),
        ("info", "info"),
        ("aud", "audience"),
        ("iss", "issuer"),
        ("jti", "id"),
    ):
        if name in claims:
            rows.append((label, _listed(claims[name])))
    if header:
        named = f", key id {header['kid']}" if "kid" in header else ""
        rows.append(("signature", f"{header.get('alg', '-')}{named}"))
    from hubbub.telemetry.redaction import escape

    for label, text in rows:
        print(f"  {label:<12}{escape(text)}")
    if fault:
        raise typer.Exit(1)


def _part(token: str, place: int) -> dict[str, Any]:
    """A token's header (0) or claims (1) as they are written, verified by nobody; {} if they cannot be read."""
    try:
        segment = token.split(".")[place]
        value = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (IndexError, ValueError, binascii.Error, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _moment(value: object, now: float) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{value!r}, which is no number of seconds"
    try:
        date = datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{value}, which is no date"
    ago = f"{words(now - value)} ago" if value <= now else f"in {words(value - now)}"
    return f"{date:%Y-%m-%d %H:%M:%S} UTC, {ago}"


def _items(value: object) -> list[tuple[str, object]]:
    return [(str(key), inner) for key, inner in value.items()] if isinstance(value, dict) else []


def _listed(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
