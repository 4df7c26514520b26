from __future__ import annotations

import pytest
from tests.chat.world import World

from hubbub.chat.contacts import blocked_with, contacts_among, last_seen_of
from hubbub.chat.ledger import SERVER, Actor
from hubbub.storage.base import Transaction, each
from hubbub.storage.tables import users

pytestmark = pytest.mark.anyio
ALL = ("ada", "bob", "cyd", "dan", "eve")


def see(tx: Transaction, time: float) -> None:
    tx.execute(users.update().values(last_seen=time))


SEEN = each("seen", see)


async def friends(chat: World) -> None:
    """ada and bob in a group, ada and cyd by themselves, ada and dan in a topic and a broadcast; eve alone."""
    await chat.users(*ALL)
    await chat.group("ada", "bob")
    await chat.direct("ada", "cyd")
    await chat.topic("ada", "dan", name="News")
    await chat.conversation("broadcast", "ada", "dan", name="Notices")


async def test_contacts_share_what_is_private(chat: World) -> None:
    await friends(chat)
    assert await chat.read(lambda view: contacts_among(view, Actor("ada"), ALL)) == {"ada", "bob", "cyd"}
    assert await chat.read(lambda view: contacts_among(view, Actor("eve"), ALL)) == {"eve"}
    assert await chat.read(lambda view: contacts_among(view, SERVER, ALL)) == set(ALL)
    assert await chat.read(lambda view: contacts_among(view, Actor("ada"), ["cyd"])) == {"cyd"}
    assert await chat.read(lambda view: contacts_among(view, Actor("ada"), [])) == set()


@pytest.mark.parametrize(("blocker", "blocked"), [("ada", "bob"), ("bob", "ada")])
async def test_a_block_ends_it_both_ways(chat: World, blocker: str, blocked: str) -> None:
    await friends(chat)
    await chat.do("blocks.add", blocker, user=blocked)
    assert await chat.read(lambda view: contacts_among(view, Actor("ada"), ALL)) == {"ada", "cyd"}
    assert await chat.read(lambda view: contacts_among(view, Actor("bob"), ALL)) == {"bob"}
    assert await chat.read(lambda view: blocked_with(view, "ada")) == {"bob"}
    assert await chat.read(lambda view: blocked_with(view, "bob", ["cyd"])) == set()


async def test_who_has_left_is_a_contact_no_more(chat: World) -> None:
    await chat.users(*ALL)
    id = await chat.group("ada", "bob")
    await chat.do("members.leave", "bob", conversation=id)
    assert await chat.read(lambda view: contacts_among(view, Actor("ada"), ALL)) == {"ada"}


@pytest.mark.parametrize(
    ("setting", "contact", "stranger"),
    [("everyone", True, True), ("contacts", True, False), ("nobody", False, False)],
)
async def test_last_seen_is_shown_as_its_user_wants(
    chat: World, setting: str, contact: bool, stranger: bool
) -> None:
    await friends(chat)
    await chat.do("me.update", "bob", show_last_seen=setting)
    await chat.store.write(SEEN, 12.0)

    async def shown(actor: str) -> bool:
        def look(view: object) -> dict[str, float]:
            contacts = contacts_among(view, Actor(actor), ["bob"])  # type: ignore[arg-type]
            return last_seen_of(view, Actor(actor), ["bob"], contacts)  # type: ignore[arg-type]

        return "bob" in await chat.read(look)

    assert await shown("ada") is contact
    assert await shown("eve") is stranger
    assert await shown("bob") is True
    assert await shown("") is True
    await chat.do("blocks.add", "bob", user="eve")
    assert await shown("eve") is False
