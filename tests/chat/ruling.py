"""Rules for tests: a server that publishes them, and words that they are about."""

from __future__ import annotations

from typing import Any

from tests.chat.world import World

RUDE = [{"type": "blocklist", "lists": ["rude"]}]


def text(said: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": said}]


async def publish(chat: World, *rules: dict[str, Any], words: tuple[str, ...] = ("badword",)) -> int:
    """Make `rules` live, which may name the list `rude`; the version."""
    await chat.do("moderation.blocklists.put", "", list="rude", words=list(words))
    named = [{"name": f"rule {place}", **rule} for place, rule in enumerate(rules)]
    await chat.do("moderation.rules.draft", "", rules=named)
    version: int = (await chat.do("moderation.rules.publish", "")).version
    return version


async def rule(chat: World, action: str, **fields: Any) -> int:
    """One live rule about rude words."""
    return await publish(chat, {"when": RUDE, "action": action, **fields})
