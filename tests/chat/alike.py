"""Which tests ask PostgreSQL nothing that others do not ask: `alike.txt`.

They run on SQLite alone, which takes a third of the time, unless pytest is told `--every-database`. Whatever a test
does at once with something else runs on both: databases differ there. A new test runs on both until the list is made
anew, which takes ten minutes: `python -m tests.chat.alike`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from asyncpg import Connection  # type: ignore[import-untyped]

__all__ = ["ALIKE", "chosen", "name_of"]

HERE = Path(__file__).parent
LIST = HERE / "alike.txt"
ALIKE = frozenset(LIST.read_text(encoding="utf-8").split()) if LIST.exists() else frozenset()
"""Names of test functions: `test_file.py::test_function`."""
AT_ONCE = re.compile("at_once|while|meanwhile|race|concurren|together|two_|twenty|many|kill")
PLACEHOLDERS = re.compile(r"\$\d+(::\w+(\[\])?)?(, *)?")
"""How many values a list has makes no other statement of it."""


def name_of(item: str) -> str:
    """The name in the list of a test, by its id."""
    path, _, function = item.partition("::")
    return f"{Path(path).name}::{function.partition('[')[0]}"


def chosen(asked: Mapping[str, frozenset[str]], seconds: Mapping[str, float]) -> set[str]:
    """Tests that ask all that is asked, by what each asks and how long it takes: the best for its time, again and
    again."""
    left, rest, found = frozenset().union(*asked.values()), dict(asked), set()
    while left:
        best = max(sorted(rest), key=lambda name: len(rest[name] & left) / (0.3 + seconds[name]))
        left -= rest.pop(best)
        found.add(best)
    return found


class Listener:
    """A plugin of pytest: the statements of each test, and how long it took."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: defaultdict[str, set[str]] = defaultdict(set)
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.running = ""
        get: Any = Connection._get_statement

        async def heard(connection: Connection, query: str, *rest: Any, **more: Any) -> Any:
            self.asked[self.running].add(PLACEHOLDERS.sub("?", query))
            return await get(connection, query, *rest, **more)

        Connection._get_statement = heard

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self.running = name_of(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[name_of(report.nodeid)] += report.duration

    def pytest_sessionfinish(self) -> None:
        self.asked.pop("", None)
        self.path.write_bytes(msgspec.json.encode((self.asked, self.seconds)))


def pytest_configure(config: pytest.Config) -> None:
    """As `-p tests.chat.alike`: with the path that the program below gives."""
    config.pluginmanager.register(Listener(Path(config.getoption("--heard"))))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--heard", help="where to write what was asked")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "heard")
        arguments = (
            "-q",
            "-p",
            "tests.chat.alike",
            "--heard",
            path,
            "--every-database",
            "-k",
            "postgresql",
            HERE,
        )
        done = subprocess.run([sys.executable, "-m", "pytest", *map(str, arguments)], check=False)
        if done.returncode:
            return done.returncode
        asked, seconds = msgspec.json.decode(
            path.read_bytes(), type=tuple[dict[str, frozenset[str]], dict[str, float]]
        )
    alike = sorted(name for name in asked.keys() - chosen(asked, seconds) if not AT_ONCE.search(name))
    LIST.write_text("".join(f"{name}\n" for name in alike), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
