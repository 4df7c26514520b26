"""What holds for every page: it is in the navigation, its links and anchors lead somewhere, its names exist."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hubbub.chat.directory import OPERATIONS
from hubbub.chat.operations import PREFIX
from hubbub.config import Config, LimitsConfig
from hubbub.errors import DISCONNECTS, ERRORS
from hubbub.telemetry.metrics import TABLE

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
ENTRANCES = [
    ROOT / name for name in ("README.md", "AGENTS.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md")
]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def prose(path: Path) -> str:
    """The page without its code."""
    return CODE.sub("`code`", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """The ids of a page's headings, as the site makes them."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        plain = re.sub(r"[^\w\s-]", "", heading).strip().lower()
        name = base = re.sub(r"[-\s]+", "-", plain)
        number = 0
        while name in found:
            number += 1
            name = f"{base}_{number}"
        found.add(name)
    return found


def named(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    else:
        for each in tree.values() if isinstance(tree, dict) else tree:
            yield from named(each)


def test_every_page_is_in_the_navigation() -> None:
    navigation = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    assert sorted(named(navigation)) == sorted(path.relative_to(DOCS).as_posix() for path in PAGES)


def test_every_decision_is_in_the_index() -> None:
    index = (DOCS / "decisions" / "index.md").read_text(encoding="utf-8")
    decisions = [path.name for path in (DOCS / "decisions").glob("0*.md")]
    assert decisions
    assert [name for name in decisions if f"]({name})" not in index] == []


@pytest.mark.parametrize("path", [*PAGES, *ENTRANCES], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for link in LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize(
    "path",
    [path for path in PAGES if path.parent.name != "decisions"],
    ids=lambda path: path.relative_to(DOCS).as_posix(),
)
def test_what_a_page_names_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    metrics = {f"hubbub_{name}" + "_total" * (kind == "counter") for name, (kind, _, _) in TABLE.items()}
    assert set(re.findall(r"\bhubbub_[a-z_]{6,}\b", text)) - metrics == set()
    sections = "|".join(Config.model_fields)
    methods = {PREFIX + name for name in OPERATIONS}
    for section, name in re.findall(rf"`({sections})\.([a-z_]+)`", text):
        if section != "namespaces":
            fields = Config.model_fields[section].annotation.model_fields  # type: ignore[union-attr]
            methods_begin = f"{section}.{name}"
            known = name in fields or any(
                method.removeprefix(PREFIX).startswith(methods_begin) for method in methods
            )
            assert known or methods_begin in methods, methods_begin


def test_troubleshooting_knows_only_codes_that_exist() -> None:
    text = (DOCS / "how-to" / "troubleshoot.md").read_text(encoding="utf-8")
    codes = {int(code) for code in re.findall(r"\b(1\d\d|[13]\d{3})\b(?!\.\d)", text)}
    assert codes - ERRORS.keys() - DISCONNECTS.keys() == set()
    assert {row.code for row in DISCONNECTS.values() if row.code >= 3000} - codes <= {3004, 3501}


def test_every_limit_is_explained() -> None:
    text = (DOCS / "how-to" / "limits.md").read_text(encoding="utf-8")
    bursts = {f"{name}_burst" for name in ("command", "publish", "subscribe")}
    rest = {"headers", "header_bytes", "body_bytes", "fragments", "channels"}
    assert {name for name in LimitsConfig.model_fields if f"`{name}`" not in text} - bursts - rest == set()


def test_snippets_are_written_so_that_they_are_found() -> None:
    """A formatter once wrote `--8 < --`, which the site shows as it is."""
    assert [page.name for page in PAGES if "--8 <" in page.read_text(encoding="utf-8")] == []
