"""Answering presses of cards that the server has sent, over a whole application."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.hub.world import OPEN, OpenPolicy

from hubbub import Hubbub
from hubbub.chat.cards import Answer, Press
from hubbub.config import AttachmentsConfig, AuthConfig, ChatConfig, Config, StorageConfig

pytestmark = pytest.mark.anyio


def hubbub(path: Path, **values: Any) -> Hubbub:
    storage = StorageConfig(url=SecretStr(f"sqlite:///{path / 'chat.db'}"))
    auth = AuthConfig(hmac_secret=SecretStr("s" * 32))
    values = {"chat": ChatConfig(enabled=True), "attachments": AttachmentsConfig(enabled=False), **values}
    return Hubbub(Config(auth=auth, default=OPEN, storage=storage, **values), policy=OpenPolicy())


async def test_an_application_answers_presses(tmp_path: Path) -> None:
    app = hubbub(tmp_path)
    asked: list[Press] = []

    @app.on_press
    async def answer(press: Press) -> Answer:
        asked.append(press)
        return Answer(update=({"type": "text", "text": f"Approved by {press.user}"},))

    await app.start()
    try:
        await app.chat.call("users.upsert", user="ada")
        made = await app.chat.call("conversations.create", as_user="ada", kind="group", name="Orders")
        id = made.conversation.id
        button = {"type": "button", "id": "approve", "label": "Approve"}
        card = {"type": "card", "title": "Order 17", "actions": [button]}
        sent = await app.chat.call("messages.send", conversation=id, parts=[card])
        of = {"conversation": id, "message": sent.message.seq}
        await app.chat.call("cards.press", as_user="ada", **of, action="approve")

        async with asyncio.timeout(60.0):
            while True:
                message = await app.chat.call("messages.get", **of)
                if b"Approved by ada" in bytes(message.parts[0]):
                    break
                await asyncio.sleep(0.005)
        assert [press.action for press in asked] == ["approve"]
    finally:
        await app.stop()


async def test_one_handler_of_one_press(tmp_path: Path) -> None:
    app = hubbub(tmp_path)

    def plain(press: Press) -> None: ...

    async def nothing() -> None: ...

    async def answer(press: Press) -> None: ...

    for wrong in (plain, nothing):
        with pytest.raises(TypeError):
            app.on_press(wrong)  # type: ignore[type-var]
    assert app.on_press(answer) is answer
    with pytest.raises(TypeError):
        app.on_press(answer)
    without = hubbub(tmp_path, chat=ChatConfig(enabled=False))
    with pytest.raises(RuntimeError):
        without.on_press(answer)
