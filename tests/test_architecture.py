"""The floors of the house, the purity of its pure rooms and the size of its files (DESIGN, section 2)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "src" / "hubbub"

# The longest prefix counts: telemetry.health stands higher than the rest of telemetry, which imports nothing.
FLOORS = {
    "errors": 0,
    "model": 0,
    "clock": 0,
    "config": 0,
    "jsondata": 0,
    "telemetry": 0,
    "protocols": 1,
    "engines": 1,
    "hub": 2,
    "broker": 2,
    "presence": 2,
    "auth": 2,
    "storage": 2,
    "state": 2,
    "moderation": 2,
    "attachments": 2,
    "egress": 2,
    "cluster": 3,
    "chat": 3,
    "transfer": 3,
    "socketio": 3,
    "transports": 4,
    "api": 4,
    "telemetry.health": 4,
    "loadgen": 4,
    "web": 4,
    "registry": 5,
    "app": 5,
    "cli": 5,
    "demo": 5,
    "": 5,  # hubbub/__init__.py
    "__main__": 5,
    "testing": 6,
}
COMPOSITION_ROOT = ("registry", "app")
CLIENT_MAY_IMPORT = (
    "client",
    "model",
    "errors",
    "protocols.native",
    # Pure, and what the SDK is about (decision 16).
    "chat.model",
    "chat.events",
    "chat.heads",
    "chat.program_events",
)

SIBLINGS = {
    "auth.channels": "the grammar of channel names and patterns, pure; the hub checks names with it",
}
"""What a room may import from a sibling, besides its port (`base`), and why."""

OWN_PROTOCOLS = {
    "socketio": ("protocols.socketio", "protocols.engineio"),
    "transports.engineio": ("protocols.engineio",),
}
"""Protocols with a room of their own above: what Socket.IO does is more than a codec can say (decision 8)."""

PURE_ROOMS = (
    "protocols",
    "attachments.names",
    "attachments.serving",
    "attachments.signing",
    "attachments.sniff",
    "attachments.untold",
    "broker.stream",
    "broker.envelopes",
    "auth.tokens",
    "auth.channels",
    "egress.addresses",
    "egress.page",
    "egress.response",
    "egress.urls",
    "hub.recovery",
    "moderation.base",
    "moderation.covering",
    "moderation.folding",
    "moderation.judge",
    "moderation.links",
    "moderation.lookalikes",
    "moderation.patterns",
    "moderation.recent",
    "moderation.rules",
    "moderation.words",
    "cluster.rendezvous",
    "transports.framing",
)
IMPURE = frozenset(
    {"asyncio", "socket", "ssl", "select", "time", "random", "secrets", "os", "logging", "threading"}
)

SOFT_LIMIT = 500
LONGER: dict[str, str] = {}
"""Files that may be longer than the limit, and why."""


def modules() -> dict[str, Path]:
    """Every module by its dotted name below hubbub; a package by its own name."""
    found = {}
    for path in sorted(SOURCES.rglob("*.py")):
        parts = path.relative_to(SOURCES).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def within(name: str, prefixes: tuple[str, ...] | dict[str, int]) -> list[str]:
    """Those of `prefixes` that `name` is or lies in, the longest first."""
    return sorted((p for p in prefixes if p == name or name.startswith(p + ".")), key=len, reverse=True)


def room(name: str) -> str:
    return within(name, FLOORS)[0]


def imports(tree: ast.Module) -> Iterator[str]:
    """Dotted names of the modules imported anywhere in a file, but for those that only a type checker sees."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending.extend(node.orelse)
            continue
        pending.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            source = node.module or ""
            for alias in node.names:
                dotted = f"{source}.{alias.name}"
                is_module = dotted.removeprefix("hubbub.") in MODULES
                if is_module:
                    yield dotted
                elif dotted != "hubbub.__version__":
                    yield source


def fault(importer: str, imported: str) -> str | None:
    """Why `importer` may not import `imported`, both below hubbub; None if it may."""
    if within(importer, ("client",)):
        return (
            None if within(imported, CLIENT_MAY_IMPORT) else "the SDK shares only the words and its protocol"
        )
    if within(imported, ("client",)):
        return None if within(importer, ("cli", "demo.bustle")) else "the SDK is for other programs"
    here, there = room(importer), room(imported)
    if here == there:
        return None
    if FLOORS[there] > FLOORS[here]:
        return f"{there} is on a higher floor than {here}"
    if (
        there == "protocols"
        and imported not in ("protocols", "protocols.base")
        and importer not in COMPOSITION_ROOT
        and not any(
            within(importer, (owner,)) and imported.startswith(own) for owner, own in OWN_PROTOCOLS.items()
        )
    ):
        return "of protocols only base is known above; the registry picks the rest"
    if FLOORS[there] == FLOORS[here] == 2 and not imported.endswith(".base") and imported not in SIBLINGS:
        return f"{there} and {here} are siblings, which know only each other's ports"
    if FLOORS[there] == FLOORS[here] == 4:
        return f"{there} and {here} are siblings"
    return None


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def is_pure(name: str, tree: ast.Module) -> bool:
    """By DESIGN, or because its docstring says so."""
    return bool(within(name, PURE_ROOMS)) or bool(re.search(r"\bPure\b", ast.get_docstring(tree) or ""))


@pytest.mark.parametrize("name", MODULES)
def test_every_room_has_a_floor(name: str) -> None:
    assert within(name, FLOORS) or within(name, ("client",)), f"{name} stands on no floor: add it to FLOORS"


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_down(name: str) -> None:
    ours = [
        dotted.removeprefix("hubbub").removeprefix(".")
        for dotted in imports(parsed(MODULES[name]))
        if dotted.partition(".")[0] == "hubbub"
    ]
    faults = {imported: why for imported in ours if (why := fault(name, imported))}
    assert not faults


@pytest.mark.parametrize("name", MODULES)
def test_pure_modules_touch_neither_world_nor_time(name: str) -> None:
    tree = parsed(MODULES[name])
    if not is_pure(name, tree):
        return
    names = list(imports(tree))
    assert not {dotted for dotted in names if dotted.partition(".")[0] in IMPURE}
    impure = [
        dotted
        for dotted in names
        if (ours := dotted.removeprefix("hubbub.")) in MODULES
        and any(deeper.partition(".")[0] in IMPURE for deeper in imports(parsed(MODULES[ours])))
    ]
    assert not impure, "a pure module leans on one that is not"


def test_what_must_be_pure_exists() -> None:
    assert [name for name in PURE_ROOMS if name not in MODULES] == []


@pytest.mark.parametrize("folder", ["src", "tests", "bench", "examples"])
def test_files_are_short(folder: str) -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > SOFT_LIMIT
    }
    assert {name: lines for name, lines in long.items() if name not in LONGER} == {}
    assert set(LONGER) <= {str(path.relative_to(ROOT)) for path in (ROOT / "src").rglob("*.py")}


@pytest.mark.parametrize("name", ["utils", "common", "manager", "helpers", "misc"])
def test_no_file_is_named_for_nothing(name: str) -> None:
    named = [path for path in SOURCES.rglob("*.py") if name in (path.stem, path.parent.name)]
    assert not named


# --- the rules themselves ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("hub.hub", "model", True),
        ("hub.hub", "hub.session", True),
        ("hub.hub", "protocols.base", True),
        ("hub.hub", "protocols.native", False),
        ("hub.hub", "broker.base", True),
        ("hub.hub", "broker.memory", False),
        ("hub.hub", "auth.channels", True),
        ("hub.hub", "transports.server", False),
        ("hub.hub", "telemetry.metrics", True),
        ("hub.hub", "telemetry.health", False),
        ("model", "hub.hub", False),
        ("protocols.native", "protocols.base", True),
        ("transports.server", "hub.hub", True),
        ("transports.server", "api.app", False),
        ("chat.events", "hub.hub", True),
        ("app", "protocols.native", True),
        ("app", "broker.memory", True),
        ("app", "testing", False),
        ("cli", "app", True),
        ("cli", "protocols.native", False),
        ("api.app", "app", False),
        ("api.app", "", False),
        ("client.session", "protocols.native", True),
        ("client.session", "hub.hub", False),
        ("client.chat.store", "chat.events", True),
        ("client.chat.store", "chat.users", False),
        ("hub.hub", "client.session", False),
        ("cli", "client.session", True),
        ("demo.bustle", "client.chat", True),
        ("demo.today", "client", False),
    ],
)
def test_the_rule_of_floors(importer: str, imported: str, allowed: bool) -> None:
    assert (fault(importer, imported) is None) is allowed


def test_imports_are_found_wherever_they_hide() -> None:
    source = (
        "import hubbub.clock\nfrom hubbub import model, Session, __version__\n"
        "if TYPE_CHECKING:\n    import asyncio\nelse:\n    import socket\n"
        "def f():\n    from time import monotonic\n    from hubbub.hub import session\n"
    )
    found = set(imports(ast.parse(source)))
    assert found == {"hubbub.clock", "hubbub.model", "hubbub", "socket", "time", "hubbub.hub.session"}
