"""A Slack export as a source: a zip of `users.json`, lists of channels, and for each a folder with a file a day.

Nothing is unpacked to the disk. A zip is refused that names files outside of itself, or holds far more than it should.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from hubbub.chat.kinds.addresses import address
from hubbub.chat.kinds.embed import EmbedPart
from hubbub.chat.kinds.plain import TextPart
from hubbub.chat.mentions import MentionWhom
from hubbub.chat.model import ConversationKind, Role
from hubbub.errors import HubbubError
from hubbub.transfer.lines import (
    ConversationLine,
    CursorLine,
    End,
    Entry,
    Fault,
    Line,
    MemberLine,
    MessageLine,
    ReactionLine,
    UserLine,
    decode,
    encode,
)
from hubbub.transfer.reading import Unreadable
from hubbub.transfer.slack_text import Said, converted, unescaped

LARGEST_FILE = 256 * 1024 * 1024
"""Bytes that a file of it may have."""
RATIO = 250
"""How many times smaller a file may be packed; JSON is 5 to 30 times."""
SMALL = 1024 * 1024
"""Bytes up to which that does not matter."""
MOST_FILES = 1_000_000
LISTS: dict[str, ConversationKind] = {
    "channels.json": "topic",
    "groups.json": "group",
    "mpims.json": "group",
    "dms.json": "direct",
}
LEFT_OUT = frozenset(
    [
        "channel_join",
        "channel_leave",
        "channel_name",
        "channel_topic",
        "channel_purpose",
        "channel_archive",
        "channel_unarchive",
        "channel_convert_to_private",
        "group_join",
        "group_leave",
        "group_name",
        "group_topic",
        "group_purpose",
        "bot_add",
        "bot_remove",
        "pinned_item",
        "unpinned_item",
        "tombstone",
    ]
)
"""What is no message of anybody's."""


class _Profile(Struct):
    real_name: str | None = None
    display_name: str | None = None
    image_192: str | None = None


class _User(Struct):
    id: str
    name: str = ""
    is_bot: bool = False
    profile: _Profile = msgspec.field(default_factory=_Profile)


class _About(Struct):
    value: str = ""


class _Channel(Struct):
    id: str
    name: str = ""
    created: float = 0.0
    creator: str | None = None
    members: tuple[str, ...] = ()
    is_archived: bool = False
    topic: _About = msgspec.field(default_factory=_About)


class _Edited(Struct):
    ts: str = "0"


class _Reaction(Struct):
    name: str
    users: tuple[str, ...] = ()


class _File(Struct):
    name: str | None = None
    title: str | None = None
    permalink: str | None = None
    url_private: str | None = None


class _Attachment(Struct):
    fallback: str | None = None
    text: str | None = None


class _Message(Struct):
    ts: str
    type: str = "message"
    subtype: str | None = None
    user: str | None = None
    bot_id: str | None = None
    username: str | None = None
    text: str | None = None
    thread_ts: str | None = None
    edited: _Edited | None = None
    reactions: tuple[_Reaction, ...] = ()
    files: tuple[_File | None, ...] = ()
    attachments: tuple[_Attachment, ...] = ()


_users = msgspec.json.Decoder(tuple[_User, ...])
_channels = msgspec.json.Decoder(tuple[_Channel, ...])
_day = msgspec.json.Decoder(list[Raw])
_message = msgspec.json.Decoder(_Message)


class SlackExport:
    """Users keep their ids, channels too (public ones are topics, private ones groups); a message's id is its `ts`.

    Places are counted in lines, and all of the zip is read again to go on. Times of a thread's replies are kept, its
    files stay links, joins and the like are left out, and all that comes is read.
    """

    origin = "slack"

    def __init__(self, path: Path) -> None:
        """Raises Unreadable and OSError."""
        self.path = path
        with self._opened() as archive:
            found = archive.infolist()
        if len(found) > MOST_FILES:
            raise Unreadable(f"{path}: more than {MOST_FILES:,} files")
        for each in found:
            _check(path, each)
        digest = hashlib.sha256(repr([(each.filename, each.CRC, each.file_size) for each in found]).encode())
        self.id = f"slack:{digest.hexdigest()[:32]}"
        # Of how many lines it will be: a message takes about as many bytes.
        self.size = max(1, sum(each.file_size for each in found) // 600)
        self.names: dict[str, str] = {}

    def entries(self, place: int, number: int) -> Iterator[Entry]:
        """See `Source`."""
        for count, line in enumerate(self._lines(), 1):
            if count > place:  # checked as a line of a file would be
                yield Entry(count, count, line if isinstance(line, Fault) else decode(encode(line)))

    def _opened(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise Unreadable(f"{self.path} is no zip: {error}") from error

    def _lines(self) -> Iterator[Line | Fault]:
        self.names = {}
        with self._opened() as archive:
            inside = sorted(each for each in archive.namelist() if each.endswith(".json"))
            if "users.json" not in inside:
                raise Unreadable(f"{self.path} is no export of Slack's: it has no users.json")
            for user in self._decoded(archive, "users.json", _users):
                name = user.profile.display_name or user.profile.real_name or user.name
                self.names[user.id] = name
                yield UserLine(
                    user.id, "service" if user.is_bot else "person", name, _address(user.profile.image_192)
                )
            days: dict[str, list[str]] = {}
            for each in inside:
                folder, _, day = each.rpartition("/")
                if folder and day:
                    days.setdefault(folder, []).append(each)
            for name, kind in LISTS.items():
                for channel in self._decoded(archive, name, _channels) if name in inside else ():
                    said = days.get(channel.name) or days.get(channel.id) or []
                    yield from self._channel(archive, kind, channel, said)
        yield End({})

    def _decoded(self, archive: zipfile.ZipFile, name: str, decoder: msgspec.json.Decoder[Any]) -> Any:
        try:
            with archive.open(name) as file:
                raw = file.read(LARGEST_FILE + 1)
            if len(raw) > LARGEST_FILE:
                raise Unreadable(f"{name}: more than {LARGEST_FILE:,} bytes")
            return decoder.decode(raw)
        except (
            ValueError,
            RecursionError,
            msgspec.MsgspecError,
            zipfile.BadZipFile,
            EOFError,
            OSError,
        ) as error:
            raise Unreadable(f"{self.path}: {name}: {error}") from error
        except Exception as error:
            if type(error).__module__ == "zlib":
                raise Unreadable(f"{self.path}: {name}: {error}") from error
            raise

    # --- a channel ------------------------------------------------------------------------------------------------

    def _channel(
        self, archive: zipfile.ZipFile, kind: ConversationKind, channel: _Channel, days: list[str]
    ) -> Iterator[Line | Fault]:
        both = channel.members[:2] if kind == "direct" else ()
        yield ConversationLine(
            channel.id,
            kind,
            channel.created,
            both,
            None if kind == "direct" else channel.name or None,
            unescaped(channel.topic.value) or None,
            closed=channel.is_archived,
            created_by=channel.creator if channel.creator in self.names else None,
        )
        there: set[str] = set()
        for user in channel.members:
            role: Role = "owner" if user == channel.creator and kind != "direct" else "member"
            yield MemberLine(channel.id, user, role)
            there.add(user)
        roots: set[str] = set()
        for day in days:
            for raw in sorted(self._decoded(archive, day, _day), key=_time_of):
                try:
                    said = _message.decode(raw)
                    if said.type != "message" or said.subtype in LEFT_OUT:
                        continue
                    line = self._message(channel, said, roots)
                except (ValueError, RecursionError, msgspec.MsgspecError) as error:
                    yield Fault(f"{day}: {error}")
                    continue
                sender = line.sender
                if sender is not None and sender not in there:
                    if sender not in self.names:
                        self.names[sender] = said.username or sender
                        yield UserLine(sender, "service" if said.bot_id else "person", self.names[sender])
                    yield MemberLine(channel.id, sender, state="left")
                    there.add(sender)
                yield line
        for user in sorted(there):
            yield CursorLine(channel.id, user)

    def _message(self, channel: _Channel, said: _Message, roots: set[str]) -> MessageLine:
        thread = said.thread_ts if said.thread_ts != said.ts and said.thread_ts in roots else None
        if thread is None:
            roots.add(said.ts)
        text = converted(said.text or "", self.names)
        mentions = None
        users = tuple(user for user in text.users if user in self.names)
        if users or text.everyone is not None:
            mentions = MentionWhom(users, text.everyone)
        return MessageLine(
            channel.id,
            said.ts,
            said.user or said.bot_id,
            float(said.ts),
            _parts(said, text, self.names),
            thread=thread,
            mentions=mentions,
            version=1 if said.edited is None else 2,
            edited=None if said.edited is None else float(said.edited.ts),
            reactions=tuple(
                ReactionLine(f":{each.name}:", tuple(user for user in each.users if user in self.names))
                for each in said.reactions
                if any(user in self.names for user in each.users)
            ),
        )


def _check(path: Path, found: zipfile.ZipInfo) -> None:
    """Raises Unreadable for a file that would lie elsewhere, or is a bomb."""
    name = found.filename
    if name.startswith(("/", "\\")) or "\\" in name or ":" in name.split("/")[0] or ".." in name.split("/"):
        raise Unreadable(f"{path}: it names the file {name!r}, which would lie outside")
    if found.flag_bits & 1:
        raise Unreadable(f"{path}: it is encrypted")
    if found.file_size > LARGEST_FILE:
        raise Unreadable(f"{path}: {name!r} has more than {LARGEST_FILE:,} bytes")
    if found.file_size > SMALL and found.file_size > RATIO * max(found.compress_size, 1):
        raise Unreadable(f"{path}: {name!r} is packed too well to be an export")


def _time_of(raw: Raw) -> float:
    try:
        return float(_message.decode(raw).ts)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return 0.0


def _address(value: str | None) -> str | None:
    try:
        return None if value is None else address(value, "url")
    except HubbubError:
        return None


def _parts(said: _Message, text: Said, names: dict[str, str]) -> tuple[Raw, ...]:
    words = [text.text] if text.text.strip() else []
    if not words:
        words = [
            converted(each.text or each.fallback or "", names).text
            for each in said.attachments
            if (each.text or each.fallback or "").strip()
        ]
    parts = [Raw(encode(TextPart("\n".join(words), "markdown")))] if words else []
    for file in said.files:
        if file is None:
            continue
        name = file.title or file.name or "file"
        where = _address(file.permalink) or _address(file.url_private)
        part = TextPart(f"[{name}]") if where is None else EmbedPart(where, title=name)
        parts.append(Raw(encode(part)))
    return tuple(parts) or (Raw(encode(TextPart("[no text]"))),)
