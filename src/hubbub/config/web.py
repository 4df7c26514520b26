"""The section of the settings that is about the web app."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from hubbub.config.sections import Section


class WebConfig(Section):
    """The web app."""

    enabled: bool = Field(
        True, description="Serve the web app at `/`, where there are conversations (`chat.enabled`)."
    )
    title: str = Field("Hubbub", min_length=1, max_length=60, description="What the web app is called.")
    token_url: str | None = Field(
        None,
        description="Where the web app fetches its user's token, with the browser's cookies: a path of this origin or "
        'a URL of yours that answers `{"token": "..."}`. Without it, a token is given in the address (`#token=...`) or '
        "pasted; in `--dev` one says who one is.",
    )
    image_sources: tuple[str, ...] = Field(
        (),
        description="From where pictures such as avatars may be shown, beside this origin: "
        "`https://images.example.com`, or `https:` for everywhere. Whoever serves them sees who looks.",
    )

    @field_validator("token_url")
    @classmethod
    def _is_a_place(cls, value: str | None) -> str | None:
        if value is not None and (not value.startswith(("/", "https://", "http://")) or _has_signs(value)):
            raise ValueError("write a path that begins with a slash, or a URL with https://")
        return value

    @field_validator("image_sources")
    @classmethod
    def _are_sources(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for source in value:
            parts = urlsplit(source)
            whole = source in ("https:", f"{parts.scheme}://{parts.netloc}") and parts.scheme in (
                "https",
                "http",
            )
            if not whole or _has_signs(source):
                raise ValueError(f"{source!r} is not an origin; write it as https://images.example.com")
        return value


def _has_signs(value: str) -> bool:
    """Whether something is in it that would mean something else in a Content-Security-Policy."""
    return not value.isascii() or not value.isprintable() or any(sign in value for sign in " ;,'\"")
