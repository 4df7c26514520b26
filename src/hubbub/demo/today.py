"""What was done this morning, by the server's own operations: what an import cannot bring."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from hubbub.demo.cast import ADA, BOB, DESIGN, GENERAL, LOUNGE, RELEASE, SUPPORT

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat
    from hubbub.chat.outgoing import Sent

HOUR = 3_600.0
TROLL = "visitor-17"


async def begin_the_day(chat: Chat) -> None:
    """Polls, lists, cards, pins, drafts, bookmarks, what is scheduled, and something for moderators."""
    day = Day(chat)
    await day.offices()
    await day.release()
    await day.lounge()
    await day.support()
    await day.for_ada()
    await day.to_review()


class Day:
    """Says and does things as somebody."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat

    async def do(self, actor: str, operation: str, /, **params: Any) -> Any:
        return await self.chat.call(operation, as_user=actor or None, **params)

    async def say(self, actor: str, conversation: str, /, *parts: dict[str, Any], **params: Any) -> int:
        """Gives the seq."""
        sent: Sent = await self.do(
            actor, "messages.send", conversation=conversation, parts=list(parts), **params
        )
        return sent.message.seq

    async def offices(self) -> None:
        await self.do("", "users.upsert", user=ADA, office="admin")
        await self.do("", "groups.upsert", group="oncall", name="On call")
        await self.do("", "groups.add", group="oncall", users=[BOB, "linus"])
        await self.do(
            "deploy", "commands.register", name="deploy", description="Ship a version", usage="<version> [to]"
        )

    async def release(self) -> None:
        options = [{"text": each} for each in ("Friday, early", "Monday", "Monday, with cake")]
        poll = await self.say(
            ADA, RELEASE, {"type": "poll", "question": "When does 2.4 go to production?", "options": options}
        )
        for user, choice in ((BOB, "3"), ("linus", "2"), ("grace", "3")):
            await self.do(user, "polls.vote", conversation=RELEASE, message=poll, options=[choice])
        items = ("Changelog", "Migration tried on a copy", "Rollback tried", "Notes for support")
        checklist = await self.say(
            "grace",
            RELEASE,
            {
                "type": "checklist",
                "title": "Before we ship",
                "items": [{"text": each} for each in items],
                "anyone": True,
            },
        )
        for user, item in ((BOB, "1"), ("linus", "2")):
            await self.do(user, "checklists.check", conversation=RELEASE, message=checklist, item=item)
        await self.do(ADA, "pins.add", conversation=RELEASE, message=checklist)
        await self.say(
            "deploy",
            RELEASE,
            {
                "type": "card",
                "title": "2.4.0-rc3 is ready for production",
                "text": "All **18,294** tests have passed.",
                "format": "markdown",
                "fields": [
                    {"label": "Commit", "value": "d02f9a7", "short": True},
                    {"label": "Built", "value": "3 min 12 s", "short": True},
                ],
                "actions": [
                    {
                        "type": "button",
                        "id": "ship",
                        "label": "Ship it",
                        "style": "primary",
                        "confirm": {"text": "Ship 2.4.0-rc3 to everybody?"},
                    },
                    {"type": "button", "id": "wait", "label": "Not yet"},
                ],
            },
        )
        await self.say(
            "linus",
            RELEASE,
            text("@bob the rollback took 8 s, that is fine with me."),
            mentions={"users": [BOB]},
        )

    async def lounge(self) -> None:
        options = [{"text": each} for each in ("Playtime", "Stalker", "Paddington 2")]
        poll = await self.say(
            "mira",
            LOUNGE,
            {
                "type": "poll",
                "question": "Film night",
                "options": options,
                "multiple": True,
                "anonymous": True,
            },
        )
        for user, choice in (("noor", ["1", "3"]), ("yuki", ["3"]), ("sam", ["1"]), ("linus", ["2"])):
            await self.do(user, "polls.vote", conversation=LOUNGE, message=poll, options=choice)
        await self.say(
            "noor",
            LOUNGE,
            text("Climbing is here:"),
            {
                "type": "location",
                "latitude": 52.5163,
                "longitude": 13.3777,
                "label": "The wall by the gate",
            },
        )

    async def support(self) -> None:
        question = await self.say(
            "sam",
            SUPPORT,
            text("A customer wants **all messages of one person**, as a file. Can we do that?"),
        )
        for user, said in (
            (BOB, "`hubbub rights export <user> <file>`"),
            ("sam", "That was quick. And to delete them?"),
            (BOB, "`hubbub rights erase`, threads stay readable. It is audited, so sign your name."),
        ):
            await self.say(user, SUPPORT, text(said), thread=question)
        await self.do("sam", "reactions.add", conversation=SUPPORT, message=question, name="🙏")
        await self.do("sam", "pins.add", conversation=SUPPORT, message=question)

    async def for_ada(self) -> None:
        found = await self.say(
            "yuki",
            GENERAL,
            text("@ada the dashboards are moved, old links go on working."),
            mentions={"users": [ADA]},
        )
        await self.do(ADA, "bookmarks.add", conversation=GENERAL, message=found, note="Tell the board")
        await self.do(
            ADA,
            "drafts.set",
            conversation=DESIGN,
            parts=[{"type": "text", "text": "About the accent: could we also"}],
        )
        tomorrow = self.chat.clock.now() + 20 * HOUR
        await self.do(
            ADA,
            "scheduled.create",
            conversation=GENERAL,
            parts=[text("Good morning! Notes of yesterday are in the wiki.")],
            at=tomorrow,
        )
        await self.do(
            ADA, "reminders.create", conversation=GENERAL, message=found, at=tomorrow, note="Answer Yuki"
        )

    async def to_review(self) -> None:
        """Somebody who advertises, reported by two."""
        await self.do("", "users.upsert", user=TROLL, name="Visitor 17")
        await self.do(TROLL, "members.join", conversation=LOUNGE)
        spam = await self.say(TROLL, LOUNGE, text("!!! CHEAP WATCHES !!! write me now, only today"))
        for user in ("sam", "mira"):
            await self.do(user, "reports.create", conversation=LOUNGE, message=spam, reason="spam")


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said, "format": "markdown"}


def picture() -> bytes:
    """A PNG that could be a screenshot: 960 by 540."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (960, 540), "#f6f3ee")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 220, 540), fill="#2b2a33")
    for row, width in enumerate((120, 90, 150, 105, 80)):
        draw.rounded_rectangle((28, 40 + 44 * row, 28 + width, 56 + 44 * row), 8, fill="#5d5b6b")
    for row, (width, colour) in enumerate(
        ((420, "#d9d3c7"), (300, "#e8a06b"), (510, "#d9d3c7"), (240, "#d9d3c7"))
    ):
        draw.ellipse((260, 52 + 104 * row, 316, 108 + 104 * row), fill="#c2b8a8")
        draw.rounded_rectangle((340, 56 + 104 * row, 340 + width, 104 + 104 * row), 16, fill=colour)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
