"""Slash commands of the application's own, and previews, over a whole application."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.test_app_press import hubbub
from tests.waiting import until

from hubbub.chat.commands import Argument, Given
from hubbub.config import ChatConfig, PreviewsConfig

pytestmark = pytest.mark.anyio


async def test_an_application_has_commands(tmp_path: Path) -> None:
    app = hubbub(tmp_path)
    asked: list[Given] = []

    @app.command("roll", description="Roll a dice", arguments=[Argument("sides")])
    async def roll(given: Given) -> list[dict[str, str]]:
        asked.append(given)
        return [{"type": "text", "text": "six"}]

    await app.start()
    try:
        await app.chat.call("users.upsert", user="ada")
        made = await app.chat.call("conversations.create", as_user="ada", kind="group", name="Game")
        id = made.conversation.id
        listed = await app.chat.call("commands.list", as_user="ada", conversation=id)
        assert [each.name for each in listed.commands] == ["roll"]
        await app.chat.call("commands.invoke", as_user="ada", conversation=id, name="roll", text="it")
        await until(lambda: asked)
        assert [(given.user, given.name, given.text) for given in asked] == [("ada", "roll", "it")]
    finally:
        await app.stop()


async def test_one_program_of_one_name(tmp_path: Path) -> None:
    app = hubbub(tmp_path)

    def plain(given: Given) -> None: ...

    async def nothing() -> None: ...

    async def answer(given: Given) -> None: ...

    for wrong in (plain, nothing):
        with pytest.raises(TypeError):
            app.command("roll")(wrong)  # type: ignore[type-var]
    assert app.command("roll")(answer) is answer
    with pytest.raises(TypeError):
        app.command("roll")(answer)
    with pytest.raises(ValueError, match="no name"):
        app.command("/Roll")(answer)
    with pytest.raises(RuntimeError):
        hubbub(tmp_path, chat=ChatConfig(enabled=False)).command("roll")(answer)


async def test_previews_can_be_turned_off(tmp_path: Path) -> None:
    assert hubbub(tmp_path).chat.previews is not None
    assert hubbub(tmp_path, previews=PreviewsConfig(enabled=False)).chat.previews is None
