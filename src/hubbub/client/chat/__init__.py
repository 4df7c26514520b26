"""Conversations: every operation with its types, a store that events keep true, files.

`Client.chat` gives a Chat; the structs of messages, conversations and events are those of `hubbub.chat.model` and
`hubbub.chat.events`, which know nothing of a server.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hubbub.client.chat.chat import Chat, Missed, Sending
    from hubbub.client.chat.conversation import Known
    from hubbub.client.chat.following import Synced
    from hubbub.client.chat.parts import parts_of, text_of
    from hubbub.client.chat.store import Store
    from hubbub.client.chat.underway import Item

__all__ = ["Chat", "Item", "Known", "Missed", "Sending", "Store", "Synced", "parts_of", "text_of"]

_HOMES = {
    "Chat": "chat",
    "Item": "underway",
    "Missed": "chat",
    "Sending": "chat",
    "Known": "conversation",
    "Synced": "following",
    "parts_of": "parts",
    "text_of": "parts",
    "Store": "store",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: `hubbub.client.server` needs the operations alone.
    if name not in _HOMES:
        raise AttributeError(f"module 'hubbub.client.chat' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"hubbub.client.chat.{_HOMES[name]}"), name)
