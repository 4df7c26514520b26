from tests.chat.conftest import chat, database

__all__ = ["chat", "database"]
