"""Previews of links: what is behind them, as it says of itself, put below a message after it was sent.

The node that has written a message makes its previews, once the message is on disk and answered: sending waits for
nothing. That is done at best once: if the node dies meanwhile the message has no preview, which is no harm, and there
is nothing to be written for all messages that have one. What was found behind a link is remembered for all.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct
from msgspec.structs import replace

from hubbub.chat.filing import KEEP_SECRET
from hubbub.chat.ledger import SERVER, Actor, Ledger, View
from hubbub.chat.links import links
from hubbub.chat.messages import find, in_shadow, permit, writable
from hubbub.chat.model import Annotations, ConversationId, Message, Options, Preview, Seq
from hubbub.chat.operations import Nothing, write
from hubbub.chat.preview_images import Images
from hubbub.config import Config
from hubbub.egress import page, urls
from hubbub.egress.fetch import Egress
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.base import Action, Logged, Transaction, each
from hubbub.storage.tables import previews
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

log = get_logger("hubbub.chat")
EVENTS = frozenset(("message.created", "message.updated"))
"""Those that may bring links."""
WAITING = 500
"""Messages whose previews are being made; what comes while there are as many gets none."""
AGAIN = 600.0
"""Seconds after which a page of which nothing was found is asked again."""


class Found(Struct, frozen=True, omit_defaults=True):
    """What is remembered of a page. `image` is where it is on the internet."""

    title: str
    description: str = ""
    site: str = ""
    image: str = ""


class _Said(Struct, frozen=True):
    message: Message
    withheld: bool = False


class _Remember(Struct, frozen=True):
    url: str
    found: Found | None
    ttl: float


class _Keep(Struct, frozen=True):
    config: Config
    conversation: str
    message: int
    previews: tuple[Preview, ...]


_said = msgspec.json.Decoder(_Said).decode
_found: Callable[[str], Found | None] = msgspec.json.Decoder(Found | None).decode


def may_link(data: bytes) -> bool:
    """Whether a message may have links by what is logged of it: in what is withheld they are not to be seen."""
    return b"://" in data or b'"withheld":true' in data


# --- keeping ------------------------------------------------------------------------------------------------------


def _remember(tx: Transaction, given: _Remember) -> None:
    data = msgspec.json.encode(given.found).decode()
    row = (given.url, data, tx.now)
    if not bulk.insert(tx, previews, ("url", "data", "fetched"), [row], ignore=True):
        tx.execute(previews.update().where(previews.c.url == given.url).values(data=data, fetched=tx.now))
    tx.execute(previews.delete().where(previews.c.fetched < tx.now - max(given.ttl, AGAIN)))


def _keep(tx: Transaction, given: _Keep) -> None:
    """Unless the message says something else by now."""
    ledger = Ledger(tx, given.config)
    row = ledger.find(given.conversation, lock=True)
    if row is None:
        return
    try:
        _, message = find(ledger, SERVER, row, None, given.message)
    except HubbubError:
        return
    if message.deleted is not None or in_shadow(message) or not (message.options or Options()).previews:
        return
    standing = message.annotations or Annotations()
    known = {each.url: each for each in (*given.previews, *standing.previews)}  # what is there stays
    now = tuple(known[url] for url in links(message.parts, given.config.limits.links) if url in known)
    if now != standing.previews:
        ledger.annotate(row, message.seq, "previews", SERVER, replace(standing, previews=now))


REMEMBER: Action[_Remember, None] = each("previews.remember", _remember)
KEEP: Action[_Keep, None] = each("previews.keep", _keep)


# --- making -------------------------------------------------------------------------------------------------------


class Previews:
    """`chat.previews`, where they are enabled."""

    def __init__(self, chat: Chat, egress: Egress) -> None:
        self._chat = chat
        self._egress = egress
        self._config = chat.config.previews
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking: dict[str, asyncio.Task[Found | None]] = {}
        """By URL: a link that everybody sends is fetched once."""
        self._started = asyncio.Event()
        self.images = self._images(secrets.token_bytes(32))  # until `start`

    async def start(self) -> None:
        config = self._chat.config
        given = config.attachments.signing_secret or config.auth.hmac_secret
        if given is not None:
            secret = given.get_secret_value()
        else:
            secret = await self._chat.store.write(KEEP_SECRET, secrets.token_urlsafe(32), "files")
        self.images = self._images(secret.encode())
        self._started.set()

    async def stop(self) -> None:
        self._egress.stop()
        tasks = [*self._tasks, *self._looking.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    @property
    def resting(self) -> bool:
        """Whether all is made that was begun."""
        return not self._tasks

    def look(self, logged: Logged) -> None:
        """Begin with the previews of a message that was written: one of `EVENTS`, in which there may be a link."""
        if len(self._tasks) >= WAITING:
            self._chat.metrics.previews["dropped"] += 1
            return
        task = asyncio.create_task(self._make(logged))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make(self, logged: Logged) -> None:
        try:
            said = _said(logged.data)
            message = said.message
            if not (message.options or Options()).previews:
                return
            if said.withheld:
                message = await self._chat.read(lambda view: _whole(view, said.message))
            await self._started.wait()  # or images would be signed by nobody's secret
            made = [
                self._public(link, found)
                for link in links(message.parts, self._chat.config.limits.links)
                if (found := await self._behind(link)) is not None
            ]
            if made:
                keep = _Keep(self._chat.config, message.conversation, message.seq, tuple(made))
                await self._chat.store.write(KEEP, keep, message.conversation)
        except HubbubError as error:  # the store has logged what is with it
            log.info("a preview was not kept", error=error.code.name)
        except Exception:
            log.exception("previews could not be made")

    async def _behind(self, link: str) -> Found | None:
        """What is behind a link, from memory or from there; None if there is nothing to be shown."""
        try:
            url = str(urls.read(link))
        except HubbubError:
            return None
        task = self._looking.get(url)
        if task is None:
            task = self._looking[url] = asyncio.create_task(self._find(url))
            task.add_done_callback(lambda _: self._looking.pop(url, None))
        return await asyncio.shield(task)

    async def _find(self, url: str) -> Found | None:
        now = self._chat.clock.now()
        known = await self._chat.read(lambda view: _known(view, url))
        if known is not None:
            data, fetched = known
            found = _found(data)
            if now - fetched < (min(AGAIN, self._config.ttl) if found is None else self._config.ttl):
                return found
        outcome = "made"
        try:
            found = await self._ask(url)
            if found is None:
                outcome = "empty"
        except HubbubError as error:
            found, outcome = None, error.info.name
            if error.code == ErrorCode.OVERLOADED:
                self._chat.metrics.previews[outcome] += 1
                return None
        self._chat.metrics.previews[outcome] += 1
        await self._chat.store.write(REMEMBER, _Remember(url, found, self._config.ttl), "previews")
        return found

    async def _ask(self, url: str) -> Found | None:
        fetched = await self._egress.fetch(url, page.TYPES, self._config.page_bytes)
        told = await asyncio.to_thread(page.read, fetched.body, fetched.charset)
        if not told.title:
            return None
        return Found(told.title, told.description, told.site, _absolute(fetched.url, told.image))

    def _public(self, link: str, found: Found) -> Preview:
        image = self.images.path(found.image) if found.image else None
        return Preview(link, found.title, found.description, found.site, image)

    def _images(self, secret: bytes) -> Images:
        return Images(self._egress, self._config.image_bytes, secret)


def _whole(view: View, bare: Message) -> Message:
    """Raises NOT_FOUND."""
    row = view.find(bare.conversation)
    if row is None:
        raise HubbubError(ErrorCode.NOT_FOUND)
    return find(view, SERVER, row, None, bare.seq)[1]


def _known(view: View, url: str) -> tuple[str, float] | None:
    row = view.execute(sa.select(previews.c.data, previews.c.fetched).where(previews.c.url == url)).first()
    return None if row is None else (row.data or "null", row.fetched)


def _absolute(base: str, image: str) -> str:
    """Where an image is that a page names; "" if that is nowhere."""
    if not image:
        return ""
    try:
        return str(urls.follow(urls.read(base), image))
    except HubbubError:
        return ""


# --- taking away --------------------------------------------------------------------------------------------------


class RemovePreview(Struct, frozen=True, forbid_unknown_fields=True):
    """The preview of a link, as it is written in the message."""

    conversation: ConversationId
    message: Seq
    url: Annotated[str, Meta(min_length=1, max_length=4_096, examples=["https://example.org/17"])]


@write("previews.remove", "DELETE", "/conversations/{conversation}/messages/{message}/previews")
def remove(ledger: Ledger, actor: Actor, params: RemovePreview) -> Nothing:
    """Take the preview of a link away, for everybody.

    It is for who has sent the message, and for those who may delete it; it does not come back when the message is
    edited. It is no error if there was none. Raises NOT_FOUND, PERMISSION_DENIED and CONVERSATION_CLOSED.
    """
    row, member = ledger.access(actor, params.conversation, "read", lock=True)
    _, message = find(ledger, actor, row, member, params.message)
    if message.sender != actor.user:
        permit(actor, row, member, "delete_any", "message")
    writable(ledger, actor, row)
    standing = message.annotations or Annotations()
    if not any(each.url == params.url and not each.removed for each in standing.previews):
        return Nothing()
    left = tuple(
        Preview(each.url, removed=True) if each.url == params.url else each for each in standing.previews
    )
    ledger.annotate(row, message.seq, "previews", actor, replace(standing, previews=left))
    return Nothing()


OPERATIONS = (remove,)
