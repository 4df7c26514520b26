"""The secrets that commands work with: those of the configuration, or the ones that `serve --dev` has made up here."""

from __future__ import annotations

import json
import os
import secrets
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubbub.cli.output import Problem

if TYPE_CHECKING:
    from hubbub.config import Config

DIRECTORY = Path(".hubbub")
FILE = DIRECTORY / "dev.json"
SECRET_BYTES = 64
SHORTEST = 32


@dataclass(frozen=True, slots=True)
class DevelopmentKeys:
    """What `--dev` makes up once in a directory, so that tokens survive a restart."""

    secret: str
    api_key: str


def read_development_keys() -> DevelopmentKeys | None:
    """The keys of this directory, if a development server was started here.

    Raises Problem for a file that others own: they would know the secret.
    """
    try:
        descriptor = os.open(FILE, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Problem(f"cannot read {FILE}: {error.strerror}", f"remove {FILE}; it is made anew.") from error
    with os.fdopen(descriptor, encoding="utf-8") as file:
        found = os.fstat(descriptor)
        if hasattr(os, "getuid") and found.st_uid != os.getuid():
            raise Problem(f"{FILE} belongs to another user", "work in a directory of your own.")
        if stat.S_IMODE(found.st_mode) & 0o077:
            os.fchmod(descriptor, 0o600)
        try:
            values = json.load(file)
            keys = DevelopmentKeys(values["secret"], values["api_key"])
            if not all(isinstance(value, str) and len(value) >= SHORTEST for value in asdict(keys).values()):
                raise ValueError
        except (ValueError, KeyError, TypeError) as error:
            raise Problem(f"{FILE} is damaged", f"remove {FILE}; it is made anew.") from error
    return keys


def require_api_key(given: str | None) -> str:
    """`given`, or that of the development server here. Raises Problem where there is none."""
    if given is not None:
        return given
    keys = read_development_keys()
    if keys is None:
        raise Problem(
            "there is no API key.",
            "give --api-key or HUBBUB_API_KEY (`hubbub token --api-key` makes one), or run this where "
            "`hubbub serve --dev` was started.",
        )
    return keys.api_key


def development_keys() -> tuple[DevelopmentKeys, bool]:
    """The keys of this directory, made now if there are none; and whether they are kept."""
    from hubbub.auth.api_keys import new_key

    kept = read_development_keys()
    if kept is not None:
        return kept, True
    keys = DevelopmentKeys(new_secret(), new_key()[0])
    try:
        DIRECTORY.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(keys), file, indent=2)
            file.write("\n")
        (DIRECTORY / ".gitignore").write_text("*\n", encoding="utf-8")
    except FileExistsError:  # another server has just made them
        return read_development_keys() or keys, True
    except OSError:
        return keys, False
    return keys, True


def new_secret() -> str:
    """512 random bits as text: as long as the longest hash, as HS512 wants it (RFC 7518, section 3.2)."""
    return secrets.token_urlsafe(SECRET_BYTES)


def load_config(path: Path | None, **flags: Any) -> Config:
    """`settings.load`, imported when it is wanted: pydantic takes its time."""
    from hubbub import config as settings

    return settings.load(path, **flags)


def with_secret(config: Config, secret: str | None = None) -> Config:
    """`config` with `secret`; without one with its own, or with the development server's where it has no keys."""
    from pydantic import SecretStr

    from hubbub.config import authenticates

    if secret is None and not authenticates(config):
        keys = read_development_keys()
        secret = keys.secret if keys else None
    if secret is None:
        return config
    auth = config.auth.model_copy(update={"hmac_secret": SecretStr(secret)})
    return config.model_copy(update={"auth": auth})


def sign(config: Config, user: str, ttl: float, **claims: Any) -> str:
    """A token for `user` that a server with this configuration accepts. Raises Problem without a secret."""
    import time

    from hubbub.auth.keys import secret_key
    from hubbub.auth.tokens import mint

    auth = config.auth
    if auth.hmac_secret is None:
        raise Problem(
            "there is no secret to sign with.",
            "set HUBBUB_AUTH__HMAC_SECRET (`hubbub token --new-secret` makes one), give --secret, or start "
            "`hubbub serve --dev` in this directory first.",
        )
    secret = auth.hmac_secret.get_secret_value()
    try:
        secret_key(secret, auth.algorithms)
    except ValueError as error:
        raise Problem(
            f"auth.hmac_secret: {error}.", "make a secret with `hubbub token --new-secret`."
        ) from error
    algorithm = next(name for name in auth.algorithms if name.startswith("HS"))
    return mint(
        secret,
        user,
        now=time.time(),
        ttl=ttl,
        algorithm=algorithm,
        audience=auth.audience,
        issuer=auth.issuer,
        **claims,
    )


def base_url(config: Config, host: str | None = None, port: int | None = None) -> str:
    """Where a server with this configuration is reached from here."""
    host = host or config.server.host
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    scheme = "http" if config.server.tls_certificate is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port or config.server.port}"
