"""The kind `card`: what a program shows, with buttons and inputs. Pressing them is in `chat/cards.py`. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from hubbub.chat import limits, text
from hubbub.chat.kinds.addresses import address
from hubbub.chat.kinds.base import Kind, decoded, encode, part_of, short, wrong
from hubbub.config.sections import LimitsConfig

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class _Strict(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Field(_Strict, frozen=True):
    """A name and a value; `short` ones may stand side by side."""

    label: str
    value: str
    short: bool = False


class Confirm(_Strict, frozen=True):
    """What a client asks before a button is pressed."""

    text: str
    title: str | None = None
    yes: str | None = None
    no: str | None = None


class Button(_Strict, frozen=True, tag="button", tag_field="type", kw_only=True):
    """With a `url` it is a link, and nothing is pressed; `value` is told to who answers."""

    id: str
    label: str
    style: Literal["default", "primary", "danger"] = "default"
    value: str | None = None
    url: str | None = None
    confirm: Confirm | None = None


class Choice(_Strict, frozen=True):
    """One option of a select."""

    label: str
    value: str


class Select(_Strict, frozen=True, tag="select", tag_field="type", kw_only=True):
    """One of several values is chosen."""

    id: str
    label: str
    options: tuple[Choice, ...]


class Input(_Strict, frozen=True, tag="input", tag_field="type", kw_only=True):
    """A text is written, of at most `max_length` code points."""

    id: str
    label: str
    placeholder: str | None = None
    multiline: bool = False
    max_length: Annotated[int, Meta(ge=1, le=2**31)] | None = None


Action: TypeAlias = Button | Select | Input


class CardPart(_Strict, frozen=True, tag="card", tag_field="type", kw_only=True):
    """It says something in its `title`, `text`, `image` or `fields`; `actions` are what can be pressed, chosen and
    written there."""

    title: str | None = None
    text: str | None = None
    format: Literal["plain", "markdown"] = "plain"
    url: str | None = None
    image: str | None = None
    fields: tuple[Field, ...] = ()
    actions: tuple[Action, ...] = ()


_decode = msgspec.json.Decoder(CardPart).decode


def card_in(parts: Sequence[Raw]) -> CardPart | None:
    """The card of a message, if it has one. `parts` were checked when they came."""
    return part_of(parts, "card", _decode)


def only_links(card: CardPart) -> bool:
    """Whether nothing of a card can be pressed, chosen or written."""
    return all(map(_is_link, card.actions))


def _is_link(action: Action) -> bool:
    return isinstance(action, Button) and action.url is not None


def pressed(action: Action, value: str | None, field: str, allowed: LimitsConfig) -> str | None:
    """What is told of a press: the value of the button, what was chosen, or what was written. Raises VALIDATION_FAILED
    for what the card does not offer, and MESSAGE_TOO_LARGE for too long a text."""
    if isinstance(action, Button):
        if action.url is not None:
            raise wrong("action", "it is a link, and not to be pressed")
        if value is not None and value != action.value:
            raise wrong(field, "not the button's")
        return action.value
    if value is None:
        raise wrong(field, "give what was chosen or written")
    if isinstance(action, Select):
        if all(value != choice.value for choice in action.options):
            raise wrong(field, "not one of the options")
        return value
    written = text.text(value, field)
    if len(written) > (action.max_length or len(written)):
        raise wrong(field, f"more than {action.max_length} characters")
    limits.check(allowed, "text_length", len(written), field)
    return written


def _check(raw: bytes, field: str, allowed: LimitsConfig) -> tuple[bytes, str]:
    limits.check(allowed, "card_bytes", len(raw), field)
    part: CardPart = decoded(_decode, raw, field)
    if part.title is None and part.text is None and part.image is None and not part.fields:
        raise wrong(field, "give a title, text, image or fields")
    limits.check(allowed, "card_actions", len(part.actions), f"{field}.actions")
    kept = replace(
        part,
        title=None if part.title is None else short(part.title, f"{field}.title", allowed),
        text=None if part.text is None else text.text(part.text, f"{field}.text"),
        url=None if part.url is None else address(part.url, f"{field}.url"),
        image=None if part.image is None else address(part.image, f"{field}.image"),
        fields=tuple(
            Field(
                short(each.label, f"{field}.fields[{place}].label", allowed),
                short(each.value, f"{field}.fields[{place}].value", allowed),
                each.short,
            )
            for place, each in enumerate(part.fields)
        ),
        actions=tuple(
            _action(each, f"{field}.actions[{place}]", allowed) for place, each in enumerate(part.actions)
        ),
    )
    ids = [action.id for action in kept.actions]
    for place, id in enumerate(ids):
        if id in ids[:place]:
            raise wrong(f"{field}.actions[{place}].id", "another action has this id")
    return encode(kept), _said(kept)


def _action(action: Action, field: str, allowed: LimitsConfig) -> Action:
    if _ID.fullmatch(action.id) is None:
        raise wrong(f"{field}.id", "1 to 64 of A-Z a-z 0-9 _ . : -")
    label = short(action.label, f"{field}.label", allowed)
    if isinstance(action, Button):
        if action.url is not None and action.value is not None:
            raise wrong(f"{field}.value", "a link has no value")
        return replace(
            action,
            label=label,
            value=None if action.value is None else short(action.value, f"{field}.value", allowed),
            url=None if action.url is None else address(action.url, f"{field}.url"),
            confirm=None if action.confirm is None else _confirm(action.confirm, f"{field}.confirm", allowed),
        )
    if isinstance(action, Input):
        at = f"{field}.placeholder"
        placeholder = None if action.placeholder is None else short(action.placeholder, at, allowed)
        return replace(action, label=label, placeholder=placeholder)
    if not action.options:
        raise wrong(f"{field}.options", "at least 1 of them")
    options: dict[str, Choice] = {}
    for place, choice in enumerate(action.options):
        at = f"{field}.options[{place}]"
        value = short(choice.value, f"{at}.value", allowed)
        if value in options:
            raise wrong(f"{at}.value", "another option has this value")
        options[value] = Choice(short(choice.label, f"{at}.label", allowed), value)
    return replace(action, label=label, options=tuple(options.values()))


def _confirm(confirm: Confirm, field: str, allowed: LimitsConfig) -> Confirm:
    def kept(value: str | None, name: str) -> str | None:
        return None if value is None else short(value, f"{field}.{name}", allowed)

    return Confirm(
        short(confirm.text, f"{field}.text", allowed),
        kept(confirm.title, "title"),
        kept(confirm.yes, "yes"),
        kept(confirm.no, "no"),
    )


def _said(part: CardPart) -> str:
    fields = (words for each in part.fields for words in (each.label, each.value))
    return "\n".join(filter(None, (part.title, part.text, *fields)))


def _text(raw: bytes) -> str:
    return _said(_decode(raw))


def _forwarded(raw: bytes) -> bytes:
    """Who forwards a card does not answer for its program: links stay."""
    part = _decode(raw)
    return encode(replace(part, actions=tuple(filter(_is_link, part.actions))))


CARD = Kind(_check, _text, alone=True, forwarded=_forwarded)
