from tests.chat.conftest import chat, database, pytest_generate_tests

__all__ = ["chat", "database", "pytest_generate_tests"]
