from __future__ import annotations

import pytest
from tests.chat.review import staff
from tests.chat.world import World

from hubbub.chat.ledger import Actor, View
from hubbub.chat.model import Office
from hubbub.chat.standing import holds_office, moderated, require_above, require_office, require_over
from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio


async def test_offices_stand_in_an_order(chat: World) -> None:
    await staff(chat)
    await chat.user("ada")
    wanted: dict[str, tuple[Office, ...]] = {
        "": ("none", "moderator", "admin"),
        "chief": ("none", "moderator", "admin"),
        "mo": ("none", "moderator"),
        "ada": ("none",),
    }

    def look(view: View) -> None:
        for user, held in wanted.items():
            for office in wanted[""]:
                assert holds_office(view, Actor(user), office) is (office in held), (user, office)
        require_office(view, Actor("chief"), "admin")
        with pytest.raises(HubbubError) as refused:
            require_office(view, Actor("mo"), "admin")
        assert refused.value.code == ErrorCode.PERMISSION_DENIED

    await chat.read(look)


async def test_what_is_moderated_by_whom(chat: World) -> None:
    await staff(chat)
    id = await chat.group("ada", "bob", "mo")

    def look(view: View) -> None:
        for user in ("", "mo", "chief", "ada"):
            row = moderated(view, Actor(user), id)
            assert row is not None
            assert row.id == id
        for user in ("", "mo", "chief"):
            assert moderated(view, Actor(user), None) is None
        for user, conversation, code in [
            ("bob", id, ErrorCode.PERMISSION_DENIED),
            ("eve", id, ErrorCode.NOT_FOUND),
            ("mo", "none", ErrorCode.NOT_FOUND),
            ("", "none", ErrorCode.NOT_FOUND),
            ("ada", None, ErrorCode.PERMISSION_DENIED),
        ]:
            with pytest.raises(HubbubError) as refused:
                moderated(view, Actor(user), conversation)
            assert (refused.value.code, refused.value.field) == (code, "conversation")

    await chat.read(look)


async def test_a_role_that_was_left_is_none(chat: World) -> None:
    """Who was an owner and has left stands above nobody, and nobody below it."""
    id = await chat.group("ada", "own", "mod", "bob")
    await chat.do("members.update", "ada", conversation=id, user="own", role="owner")
    await chat.do("members.update", "ada", conversation=id, user="mod", role="moderator")
    await chat.do("members.leave", "own", conversation=id)

    def look(view: View) -> None:
        row = view.find(id)
        require_above(view, Actor("mod"), "own", row, "user")
        with pytest.raises(HubbubError):
            require_above(view, Actor("own"), "bob", row, "user")
        require_over(view, Actor("mod"), "ada", "user")
        with pytest.raises(HubbubError):
            require_over(view, Actor("mod"), None, "user")

    await chat.read(look)
