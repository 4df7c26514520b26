from __future__ import annotations

from hubbub.chat.model import Message
from hubbub.client.chat import parts_of, text_of
from hubbub.model import Raw


def test_what_a_message_says() -> None:
    said = (b'{"type":"text","text":"a"}', b'{"type":"x","text":"no"}', b'{"type":"text","text":"b"}')
    message = Message("c", 1, "ada", 0.0, tuple(map(Raw, said)))
    assert text_of(message) == "a\nb"
    assert parts_of(message)[1] == {"type": "x", "text": "no"}
    assert text_of(Message("c", 1, "ada", 0.0)) == ""
