"""Who is in the workspace, where they talk, and what they have said: plain data."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["group", "topic", "broadcast", "direct"]


class Person(NamedTuple):
    id: str
    name: str
    title: str
    kind: Literal["person", "service"] = "person"


class Said(NamedTuple):
    """One message. `after`: minutes since the one before. `label` names it for `re` (reply) and `under` (thread)."""

    by: str
    text: str
    after: float = 2.0
    label: str = ""
    re: str = ""
    under: str = ""
    liked: tuple[tuple[str, str], ...] = ()
    """Reactions: the emoji, and the ids of who has reacted, with spaces between."""
    to: tuple[str, ...] = ()
    """Whom it mentions."""


class Place(NamedTuple):
    """A conversation. The first of `people` owns it; `behind` is how many messages each has not read."""

    id: str
    kind: Kind
    name: str
    topic: str
    people: tuple[str, ...]
    days: tuple[tuple[Said, ...], ...]
    """What was said, by the day, the last one yesterday."""
    behind: tuple[tuple[str, int], ...] = ()


ADA, BOB = "ada", "bob"
PEOPLE = (
    Person(ADA, "Ada Okafor", "Engineering lead"),
    Person(BOB, "Bob Lindqvist", "Backend"),
    Person("grace", "Grace Moreau", "Product"),
    Person("linus", "Linus Tan", "Site reliability"),
    Person("mira", "Mira Castellanos", "Design"),
    Person("noor", "Noor Haddad", "Mobile"),
    Person("sam", "Sam Whitfield", "Support"),
    Person("yuki", "Yuki Arai", "Data"),
    Person("deploy", "Deploy bot", "Ships what is merged", "service"),
)
NAMES = {person.id: person.name for person in PEOPLE}

GENERAL, RELEASE, DESIGN, SUPPORT, LOUNGE, NEWS = (
    "demo-general",
    "demo-release",
    "demo-design",
    "demo-support",
    "demo-lounge",
    "demo-news",
)
EVERYBODY = tuple(person.id for person in PEOPLE if person.kind == "person")

PLACES = (
    Place(
        GENERAL,
        "topic",
        "General",
        "Everything that concerns all of us",
        EVERYBODY,
        (
            (
                Said("grace", "Morning all! Planning moved to 10:30, the big room was taken.", 0, "planning"),
                Said(ADA, "Works for me.", 3, liked=(("👍", "grace mira"),)),
                Said("noor", "I join from the train, so please shout.", 6),
                Said(
                    "sam",
                    "Three customers asked for **read receipts per member** this week. Is that on the list?",
                    22,
                    "receipts",
                    liked=(("👀", "grace ada"),),
                ),
                Said("grace", "It is in 2.4, behind a switch at first.", 4, under="receipts"),
                Said(
                    BOB,
                    "Server side is done, the counts stay right through deletions now.",
                    7,
                    under="receipts",
                ),
                Said(
                    "sam",
                    "You are all wonderful. I tell them.",
                    2,
                    under="receipts",
                    liked=(("🎉", "bob grace"),),
                ),
            ),
            (
                Said(
                    "yuki",
                    "The weekly numbers are in:\n\n- active users: **12,480** (+4 %)\n- messages a day: 91,000\n"
                    "- p95 delivery: 38 ms",
                    0,
                    "numbers",
                ),
                Said("linus", "38 ms! What did we do?", 5, re="numbers"),
                Said(
                    BOB,
                    "Encode once per audience, not per reader. The profile was almost embarrassing.",
                    3,
                    liked=(("🔥", "linus ada yuki"),),
                ),
                Said(ADA, "Writing that up for the blog, the flame graphs are too good to keep.", 8),
                Said("mira", "I can draw the picture for it.", 12, liked=(("❤️", "ada"),)),
            ),
            (
                Said(
                    "linus",
                    "Heads up: I drain node 2 at 14:00 for the kernel update. Nobody should notice.",
                    0,
                ),
                Said(
                    "linus",
                    "Done. 3,112 sessions moved, nobody noticed.",
                    95,
                    liked=(("👏", "ada bob grace noor sam"),),
                ),
                Said("noor", "My phone stayed connected all the way, I was watching.", 2),
                Said(
                    "grace",
                    "Can somebody look at the sign-up page? The button says “Sing up”.",
                    40,
                    liked=(("😂", "mira noor sam bob"),),
                ),
                Said("mira", "Fixed. It was a good song.", 6),
            ),
            (
                Said(ADA, "Reminder: notes of what you ship go into the changelog *in the same commit*.", 0),
                Said("yuki", "I keep forgetting. Is there a hook for that?", 11, "hook"),
                Said(
                    BOB,
                    "There is now:\n\n```sh\ngit config core.hooksPath .githooks\n```",
                    9,
                    re="hook",
                    liked=(("🙏", "yuki"),),
                ),
                Said("sam", "Support was quiet today. Suspiciously quiet.", 130),
                Said("grace", "Do not say that out loud.", 1, liked=(("😅", "sam linus"),)),
            ),
        ),
        ((ADA, 3), (BOB, 4)),
    ),
    Place(
        RELEASE,
        "group",
        "Release 2.4",
        "Freeze on Thursday",
        (ADA, BOB, "grace", "linus", "deploy"),
        (
            (
                Said(
                    ADA,
                    "Here is where we plan 2.4. Scope: receipts, drafts on all devices, faster search.",
                    0,
                ),
                Said("grace", "And the new onboarding, please. It is half done and it tests well.", 6),
                Said(
                    BOB,
                    "Search: trigram index on PostgreSQL, 2 ms for a million messages. Pull request is up.",
                    25,
                ),
                Said("linus", "Reviewed. One question about `work_mem`, else fine.", 48),
            ),
            (
                Said("deploy", "`staging` runs **2.4.0-rc1** (`8f31c02`)", 0),
                Said(BOB, "Seeing one failed test on ARM, looking.", 14, "arm"),
                Said("linus", "Is it the clock again?", 3, under="arm"),
                Said(BOB, "It is always the clock.", 2, under="arm", liked=(("😂", "ada linus"),)),
                Said(
                    BOB,
                    "Yes: it compared wall time with monotonic time. Fixed in `c771e0a`.",
                    31,
                    under="arm",
                ),
                Said(
                    "deploy", "`staging` runs **2.4.0-rc2** (`c771e0a`)", 4, liked=(("🚀", "ada bob grace"),)
                ),
            ),
            (
                Said("grace", "@ada can we decide on Friday or Monday for production?", 0, to=(ADA,)),
                Said(ADA, "Let us ask everybody, I make a poll tomorrow.", 9),
                Said(
                    "linus",
                    "No Friday deploys, I have plans that are not a pager.",
                    4,
                    liked=(("💯", "bob ada"),),
                ),
            ),
        ),
        ((ADA, 1), (BOB, 2)),
    ),
    Place(
        DESIGN,
        "group",
        "Design review",
        "Thursdays, bring screenshots",
        ("mira", ADA, "grace", "noor"),
        (
            (
                Said(
                    "mira",
                    "New empty states are in Figma. Less shouting, more helping.",
                    0,
                    liked=(("❤️", "grace"),),
                ),
                Said("grace", "The one for search made me smile.", 17),
                Said("noor", "On small phones the second line wraps under the button, see 320 px.", 8),
                Said("mira", "Good catch, I shorten it.", 3),
            ),
            (
                Said("mira", "Which accent do we keep for dark mode? I lean to the warmer one.", 0, "accent"),
                Said(ADA, "Warmer. The blue one vibrates on my screen.", 12, re="accent"),
                Said("noor", "Warmer, and contrast is 5.1 : 1, I measured.", 5, liked=(("✅", "mira ada"),)),
            ),
        ),
        ((ADA, 1),),
    ),
    Place(
        SUPPORT,
        "topic",
        "Support",
        "Questions of customers; please claim what you take",
        ("sam", ADA, BOB, "linus", "yuki"),
        (
            (
                Said(
                    "sam",
                    "Customer on 2.3 sees `session_gone` after a laptop slept the night. Expected?",
                    0,
                    "gone",
                ),
                Said(
                    BOB,
                    "Yes, the window is 60 s by default. The SDK subscribes again by itself and asks for what was "
                    "missed.",
                    6,
                    under="gone",
                ),
                Said("sam", "So nothing is lost?", 1, under="gone"),
                Said(
                    BOB,
                    "Nothing that was acknowledged. That is the deal.",
                    1,
                    under="gone",
                    liked=(("💪", "sam ada"),),
                ),
                Said("linus", "I add that to the troubleshooting page, it is the third time.", 14),
            ),
            (
                Said("sam", "Is there a limit on members of a group?", 0),
                Said(BOB, "100,000, and `limits.members` says so. Topics can have any number of readers.", 4),
                Said(
                    "yuki",
                    "The export of the Acme workspace is ready: 1.2 million messages in 40 s.",
                    55,
                    liked=(("🐎", "sam"),),
                ),
            ),
        ),
        ((BOB, 1),),
    ),
    Place(
        LOUNGE,
        "topic",
        "Lounge",
        "Not about work",
        EVERYBODY,
        (
            (
                Said("noor", "Who comes climbing on Wednesday?", 0, liked=(("🧗", "linus mira"),)),
                Said("linus", "Me, if the pager lets me.", 4),
                Said(
                    "yuki",
                    "I made too much sourdough again. Kitchen, second shelf. 🍞",
                    180,
                    liked=(("😋", "sam ada bob mira"),),
                ),
                Said("sam", "Best colleague.", 7),
            ),
            (
                Said("mira", "Film night: *Playtime* or *Stalker*?", 0),
                Said(
                    BOB,
                    "Playtime! I have seen Stalker and I am still in there.",
                    5,
                    liked=(("😂", "mira grace yuki"),),
                ),
            ),
        ),
    ),
    Place(
        NEWS,
        "broadcast",
        "Announcements",
        "Few and short",
        ("grace", ADA, BOB, "linus", "mira", "noor", "sam", "yuki"),
        (
            (
                Said(
                    "grace",
                    "**The office is closed on the 24th and 25th.** Whoever is on call gets two days in lieu.",
                    0,
                    liked=(("🎄", "ada bob mira noor sam yuki"),),
                ),
            ),
            (
                Said(
                    "grace",
                    "2.3 is out. Thank you, all of you. The [notes](https://example.org/notes/2.3) are short because "
                    "it just works.",
                    0,
                    liked=(("🎉", "ada bob linus mira noor sam yuki"),),
                ),
            ),
        ),
    ),
    Place(
        "demo-ada-bob",
        "direct",
        "",
        "",
        (ADA, BOB),
        (
            (
                Said(BOB, "Do you have ten minutes for the search pull request?", 0),
                Said(ADA, "After lunch? I want to read the query plans with a coffee.", 3),
                Said(BOB, "Deal. I bring the coffee.", 1, liked=(("☕", ADA),)),
            ),
            (
                Said(ADA, "That was a lovely change. Ship it.", 0, liked=(("🥳", BOB),)),
                Said(BOB, "Merged. Thank you for the careful review!", 6),
            ),
        ),
        ((ADA, 1),),
    ),
    Place(
        "demo-ada-grace",
        "direct",
        "",
        "",
        (ADA, "grace"),
        (
            (
                Said("grace", "Between us: can 2.4 make Monday?", 0),
                Said(ADA, "Yes, if nobody adds onboarding to it. 🙂", 14),
                Said("grace", "I did not see that. Looking at my shoes.", 2),
            ),
        ),
        ((ADA, 1),),
    ),
    Place(
        "demo-bob-linus",
        "direct",
        "",
        "",
        (BOB, "linus"),
        (
            (
                Said(
                    "linus",
                    "Your ARM runner is back, somebody had unplugged it for the vacuum cleaner.",
                    0,
                    liked=(("🤦", BOB),),
                ),
            ),
        ),
        ((BOB, 1),),
    ),
)

ASIDES = (
    "On it.",
    "Thanks, that helps.",
    "Looks good to me.",
    "Can you share the trace?",
    "I see the same on staging.",
    "Merged.",
    "Let us take this into a thread.",
    "Good question, I look it up.",
    "That is by design: it says so in the reference.",
    "Back in ten.",
    "The build is green again. 🟢",
    "I wrote a test that fails without the fix.",
    "Shall we do it after the release?",
    "Numbers look fine: p95 under 40 ms.",
    "Who is on call next week?",
    "It only happens with two tabs open.",
    "Documented, with an example that runs.",
    "I could reproduce it with `--seed 3`.",
    "One line less, and it is faster. I like it.",
    "Could somebody review this before lunch?",
)
"""What is said while one looks, and to make a long history of."""
