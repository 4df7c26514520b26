"""Slack's mrkdwn as Markdown. Pure.

Slack escapes `&`, `<` and `>`, and puts between angle brackets what is no text: `<@U1|ada>`, `<#C1|all>`, `<!here>`,
`<!subteam^S1|@crew>`, `<!date^1^..|fallback>`, `<https://example.com|label>`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from hubbub.chat.model import Everyone

CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
MARK = re.compile(r"<([^<>\n]{1,4000})>")
BOLD = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*\n]{0,3000}[^\s*])\*(?![\w*])")
STRUCK = re.compile(r"(?<![\w~])~(?=[^\s~])([^~\n]{0,3000}[^\s~])~(?![\w~])")
EVERYBODY: dict[str, Everyone] = {"channel": "all", "everyone": "all", "group": "all", "here": "here"}


class Said(Struct, frozen=True):
    """A text, and whom it mentions."""

    text: str
    users: tuple[str, ...] = ()
    everyone: Everyone | None = None


def converted(raw: str, names: Mapping[str, str]) -> Said:
    """What was said in mrkdwn; `names` are those of users by their ids."""
    users: dict[str, None] = {}
    everyone: Everyone | None = None

    def mark(found: re.Match[str]) -> str:
        nonlocal everyone
        target, _, label = found[1].partition("|")
        kind, rest = target[:1], target[1:]
        if kind == "@":
            users[rest] = None
            return f"@{names.get(rest) or label or rest}"
        if kind == "#":
            return f"#{label or rest}"
        if kind == "!":
            name = rest.partition("^")[0]
            if name in EVERYBODY:
                everyone = "all" if everyone == "all" else EVERYBODY[name]
                return f"@{name}"
            return label or f"@{name}"
        address = target.removeprefix("mailto:")
        return f"[{label}]({target})" if label and label != address else address

    def plain(text: str) -> str:
        styled = STRUCK.sub(r"~~\1~~", BOLD.sub(r"**\1**", text))
        return unescaped(MARK.sub(mark, styled))

    pieces = CODE.split(raw)
    text = "".join(
        unescaped(MARK.sub(mark, piece)) if n % 2 else plain(piece) for n, piece in enumerate(pieces)
    )
    return Said(text, tuple(users), everyone)


def unescaped(text: str) -> str:
    """Without Slack's three escapes."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
