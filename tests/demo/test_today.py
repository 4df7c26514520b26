from __future__ import annotations

import io

import pytest
from PIL import Image
from tests.chat.world import World

from hubbub.demo.cast import ADA, DESIGN, GENERAL, RELEASE
from hubbub.demo.history import Week
from hubbub.demo.today import begin_the_day, picture
from hubbub.transfer.importing import Importer

pytestmark = pytest.mark.anyio


async def test_a_day_has_something_of_everything(sqlite_url: str) -> None:
    async with World(sqlite_url) as chat:
        await Importer(chat.store, chat.config, Week(chat.clock.now()), strict=True).run()
        await begin_the_day(chat.chat)
        page = await chat.do("messages.list", ADA, conversation=RELEASE, limit=10)
        kinds = {part_type(part) for message in page.messages for part in message.parts}
        assert {"poll", "checklist", "card", "text"} <= kinds
        assert len((await chat.do("pins.list", ADA, conversation=RELEASE)).messages) == 1
        synced = await chat.do("sync", ADA)
        assert [draft.conversation for draft in synced.drafts] == [DESIGN]
        assert len(synced.scheduled) == len(synced.reminders) == len(synced.bookmarks) == 1
        (case,) = (await chat.do("cases.list", ADA)).cases
        assert case.reports == 2
        assert (await chat.do("conversations.get", ADA, conversation=GENERAL)).membership.mentions == 1


def part_type(part: bytes) -> str:
    return bytes(part).partition(b'"type":"')[2].partition(b'"')[0].decode()


def test_the_picture_is_one() -> None:
    with Image.open(io.BytesIO(picture())) as image:
        assert (image.format, image.size) == ("PNG", (960, 540))
