from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.chat.talk import say, text
from tests.chat.world import World
from tests.egress.strangers import Internet, internet, raw, says
from tests.waiting import until

from hubbub.chat.events import MessageAnnotated
from hubbub.chat.model import Annotations, Message, Preview
from hubbub.chat.preview_images import PATH
from hubbub.chat.previews import AGAIN, Previews
from hubbub.errors import ErrorCode
from hubbub.storage.tables import previews

pytestmark = pytest.mark.anyio
URL = "http://a.example/17"
PAGE = (
    b"<head><title>Seventeen</title><meta name=description content='A number'>"
    b"<meta property=og:site_name content=Numbers><meta property=og:image content=/17.png></head>"
)
OTHER = "http://b.example/"


@pytest.fixture
async def net(chat: World) -> AsyncIterator[Internet]:
    async with internet() as found:
        found.host("a.example", says(PAGE))
        found.host("b.example", says(b"<title>B</title>"))
        chat.chat.previews = Previews(chat.chat, found.egress(ports=(80,)))
        await chat.chat.previews.start()
        yield found
        await rest(chat)
        await chat.chat.previews.stop()


async def rest(chat: World) -> None:
    found = chat.chat.previews
    assert found is not None
    await until(lambda: found.resting)


async def now(chat: World, message: Message) -> Message:
    await rest(chat)
    found: Message = await chat.do(
        "messages.get", "ada", conversation=message.conversation, message=message.seq
    )
    return found


async def shown(chat: World, message: Message) -> list[Preview]:
    found = (await now(chat, message)).annotations or Annotations()
    return list(found.previews)


async def test_a_preview_comes_after_the_message(chat: World, net: Internet) -> None:
    id = await chat.group("ada", "bob")
    sent = await say(chat, id, "ada", f"look: {URL}.")
    assert sent.annotations is None
    (preview,) = await shown(chat, sent)
    assert (preview.url, preview.title, preview.description, preview.site) == (
        URL,
        "Seventeen",
        "A number",
        "Numbers",
    )
    assert preview.image is not None
    assert preview.image.startswith(PATH)
    event = (await chat.log(id))[-1]
    assert isinstance(event, MessageAnnotated)
    assert (event.what, event.actor, event.message) == ("previews", None, sent.seq)
    assert net.paths == ["/17"], "the image is for those who ask for it"


async def test_sending_waits_for_nothing(chat: World, net: Internet) -> None:
    free = asyncio.Event()

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await free.wait()
        await says(PAGE)(reader, writer)

    net.host("a.example", slowly)
    id = await chat.group("ada", "bob")
    for _ in range(20):
        sent = await say(chat, id, "ada", URL)
    assert chat.chat.previews is not None
    assert not chat.chat.previews.resting
    free.set()
    assert len(await shown(chat, sent)) == 1
    assert net.paths == ["/17"], "a link that all send is fetched once"


async def test_what_was_found_is_remembered(chat: World, net: Internet) -> None:
    id = await chat.group("ada", "bob")
    first = await shown(chat, await say(chat, id, "ada", URL))
    assert await shown(chat, await say(chat, id, "bob", f"again {URL} {URL}#part")) == [
        *first,
        Preview(URL + "#part", first[0].title, first[0].description, first[0].site, first[0].image),
    ]
    assert net.paths == ["/17"]
    chat.clock.advance(chat.config.previews.ttl + 1)
    await shown(chat, await say(chat, id, "ada", URL))
    assert net.paths == ["/17", "/17"]


@pytest.mark.parametrize(
    "answer",
    [
        says(b"<p>no title"),
        says(b"", status="404 Not Found"),
        says(b"\x89PNG", "image/png"),
        raw(b"nonsense"),
        raw(b""),
    ],
)
async def test_pages_of_which_there_is_nothing(chat: World, net: Internet, answer: Any) -> None:
    net.host("a.example", answer)
    id = await chat.group("ada", "bob")
    for _ in range(2):
        assert await shown(chat, await say(chat, id, "ada", URL)) == []
    assert len(net.paths) == 1, "that is remembered, too"
    chat.clock.advance(AGAIN + 1)
    net.host("a.example", says(PAGE))
    assert len(await shown(chat, await say(chat, id, "ada", URL))) == 1


async def test_nothing_is_asked_inside(chat: World, net: Internet) -> None:
    net.host("inside.example", says(PAGE), "10.0.0.1")
    id = await chat.group("ada", "bob")
    words = "http://127.0.0.1/ http://[::1]/ http://inside.example/ http://0x7f.1/ http://a.example:6379/"
    assert await shown(chat, await say(chat, id, "ada", words)) == []
    assert net.dialled == []


async def test_some_links_of_many(chat: World, net: Internet) -> None:
    id = await chat.group("ada", "bob")
    words = " ".join(f"http://a.example/{number}" for number in range(10))
    found = await shown(chat, await say(chat, id, "ada", f"http://nobody.example/ {words}"))
    assert [each.url for each in found] == [f"http://a.example/{number}" for number in range(4)]
    assert chat.config.limits.links == 5


async def test_messages_without_previews(chat: World, net: Internet) -> None:
    id = await chat.group("ada", "bob")
    sent = await say(chat, id, "ada", URL, previews=False)
    assert sent.options is not None
    assert not sent.options.previews
    edit: dict[str, Any] = {"conversation": id, "message": sent.seq, "parts": text(f"{URL} {OTHER}")}
    await chat.do("messages.edit", "ada", **edit)
    assert await shown(chat, sent) == []
    await chat.do(
        "messages.send", "ada", conversation=id, parts=[{"type": "embed", "url": URL, "title": "x"}]
    )
    await rest(chat)
    assert net.asked == []


async def test_edits(chat: World, net: Internet) -> None:
    id = await chat.group("ada", "bob")
    sent = await say(chat, id, "ada", URL)
    (first,) = await shown(chat, sent)
    edit: dict[str, Any] = {"conversation": id, "message": sent.seq}
    await chat.do("messages.edit", "ada", **edit, parts=text(f"{OTHER} {URL}"))
    assert await shown(chat, sent) == [Preview(OTHER, "B"), first]
    await chat.do("messages.edit", "ada", **edit, parts=text(f"only {OTHER}"))
    assert await shown(chat, sent) == [Preview(OTHER, "B")]
    await chat.do("messages.edit", "ada", **edit, parts=text("nothing"))
    assert (await now(chat, sent)).annotations is None


async def test_what_changes_meanwhile(chat: World, net: Internet) -> None:
    free = asyncio.Event()

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await free.wait()
        await says(PAGE)(reader, writer)

    net.host("a.example", slowly)
    id = await chat.group("ada", "bob")
    deleted, edited, left = [await say(chat, id, "ada", URL) for _ in range(3)]
    quiet = await chat.group("ada", history="joined")
    before = await say(chat, quiet, "ada", URL)
    await chat.do("messages.delete", "ada", conversation=id, message=deleted.seq)
    await chat.do("messages.edit", "ada", conversation=id, message=edited.seq, parts=text("no link"))
    await chat.do("members.add", "ada", conversation=quiet, users=["bob"])
    free.set()
    assert [len(await shown(chat, each)) for each in (deleted, edited, left, before)] == [0, 0, 1, 1]


async def test_previews_are_taken_away(chat: World, net: Internet) -> None:
    id = await chat.group("ada", "bob", "cy")
    sent = await say(chat, id, "bob", f"{URL} {OTHER}")
    assert len(await shown(chat, sent)) == 2
    of: dict[str, Any] = {"conversation": id, "message": sent.seq}
    await chat.refused(ErrorCode.PERMISSION_DENIED, "previews.remove", "cy", **of, url=URL)
    await chat.do("previews.remove", "bob", **of, url=URL)
    assert await shown(chat, sent) == [Preview(URL, removed=True), Preview(OTHER, "B")]
    head = len(await chat.log(id))
    for url in (URL, "http://c.example/"):
        await chat.do("previews.remove", "bob", **of, url=url)
    assert len(await chat.log(id)) == head
    await chat.do("messages.edit", "bob", **of, parts=text(f"see {URL} {OTHER}"))
    assert await shown(chat, sent) == [Preview(URL, removed=True), Preview(OTHER, "B")], "it stays away"
    await chat.do("previews.remove", "ada", **of, url=OTHER)
    await chat.do("messages.edit", "bob", **of, parts=text(OTHER))
    assert await shown(chat, sent) == [Preview(OTHER, removed=True)]


async def test_who_came_later_hears_nothing_of_what_was_said_before(chat: World, net: Internet) -> None:
    id = await chat.group("ada", "bob", history="joined")
    early = await say(chat, id, "bob", f"{URL} {OTHER}")
    assert len(await shown(chat, early)) == 2
    late = await say(chat, id, "bob", "nothing yet")
    of: dict[str, Any] = {"conversation": id, "message": early.seq}
    await chat.users("cy")
    await chat.do("members.add", "ada", conversation=id, users=["cy"])
    head = len(await chat.log(id))
    await chat.do("pins.add", "ada", **of)
    await chat.do("previews.remove", "bob", **of, url=OTHER)
    await chat.do("messages.edit", "bob", **of, parts=text(URL))
    await chat.do("messages.edit", "bob", conversation=id, message=late.seq, parts=text(f"now {OTHER}"))
    assert await shown(chat, late) == [Preview(OTHER, "B")], "those who may read it have it"
    told = (await chat.log(id))[head:]
    assert [type(event).__name__ for event in told] == [
        "MessageAnnotated",
        "MessageAnnotated",
        "MessageUpdated",
        "MessageUpdated",
        "MessageAnnotated",
    ]
    for event in told:
        assert getattr(event, "withheld", False)
        assert b"example" not in msgspec.json.encode(event), event
    assert (await chat.do("messages.get", "bob", **of)).annotations.pin is not None
    await chat.refused(ErrorCode.NOT_FOUND, "messages.get", "cy", **of)
    fresh = await say(chat, id, "bob", URL)
    assert len(await shown(chat, fresh)) == 1
    event = (await chat.log(id))[-1]
    assert isinstance(event, MessageAnnotated)
    assert not event.withheld, "all may read this one"


async def test_what_is_remembered_goes(chat: World, net: Internet) -> None:
    id = await chat.group("ada", "bob")
    await shown(chat, await say(chat, id, "ada", URL))
    chat.clock.advance(chat.config.previews.ttl + 1)
    await shown(chat, await say(chat, id, "ada", OTHER))
    kept = await chat.read(lambda view: list(view.execute(sa.select(previews.c.url)).scalars()))
    assert kept == [OTHER]


async def test_shadowed_users_have_nothing_fetched(chat: World, net: Internet) -> None:
    id = await chat.group("ada", "bob")
    await chat.do("restrictions.set", "", user="bob", kind="shadow")
    await say(chat, id, "bob", URL)
    await rest(chat)
    assert net.asked == []


async def test_too_many_at_once(chat: World, net: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubbub.chat.previews.WAITING", 0)
    id = await chat.group("ada", "bob")
    assert await shown(chat, await say(chat, id, "ada", URL)) == []
    assert chat.metrics.previews["dropped"] == 1


async def test_what_is_sent_before_they_are_started(chat: World, net: Internet) -> None:
    chat.chat.previews = Previews(chat.chat, net.egress(ports=(80,)))
    id = await chat.group("ada", "bob")
    sent = await say(chat, id, "ada", URL)
    await chat.settle()
    assert net.asked == []
    await chat.chat.previews.start()
    (preview,) = await shown(chat, sent)
    assert preview.image == chat.chat.previews.images.path("http://a.example/17.png")


async def test_stopping_waits_for_nobody(chat: World, net: Internet) -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    net.host("a.example", never)
    id = await chat.group("ada", "bob")
    await say(chat, id, "ada", URL)
    await until(lambda: net.open)
    assert chat.chat.previews is not None
    await chat.chat.previews.stop()
    await until(lambda: not net.open)
