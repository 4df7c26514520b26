"""Two conversations of the same people and the same kind of talk, one a thousand times longer, written in bulk."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg  # type: ignore[import-untyped]
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from hubbub.chat import tokens
from hubbub.chat.search_index import STRETCH, scope, vector
from hubbub.storage import migrations
from hubbub.storage.tables import conversations, events, members, messages, users

SMALL, BIG = "small", "big"
READER = "reader"
PEOPLE = 50
UNREAD = 0.5
"""Of a conversation."""
START = 1_700_000_000.0
THREAD = 11
"""The root's seq."""
REPLIES = 100
CHUNK = 20_000
SENTENCES = 50_000

COMMON, SELDOM, RARE, PHRASE, APART, CHINESE = (
    "meeting",
    "budget",
    "zephyr",
    "quarterly report",
    "walnut",
    "東京",
)
"""Of the messages every 20th, 200th, 1000th (and ten in all of the long one), 250th, never where the common one is, and
every 100th."""

Record = tuple[Any, ...]
MESSAGE = (
    "id",
    "conversation",
    "seq",
    "number",
    "thread",
    "thread_number",
    "kind",
    "sender",
    "parts",
    "created",
    "version",
    "replies",
    "last_reply",
)
EVENT = ("conversation", "seq", "type", "message", "actor", "time", "data")


class Written(NamedTuple):
    """A message and its event as rows, and its terms."""

    message: Record
    event: Record
    terms: list[str]


def talk(sizes: dict[str, int]) -> Iterator[Written]:
    """All messages, the conversations' mixed as if they went on at the same time."""
    dice = random.Random(4)
    words = vocabulary(dice)
    weights = list(accumulate(1 / (rank + 10) for rank in range(len(words))))
    said = [
        " ".join(dice.choices(words, cum_weights=weights, k=dice.randrange(4, 12))) for _ in range(SENTENCES)
    ]
    found = [tokens.terms(each) for each in said]
    which = iter(dice.choices(range(SENTENCES), k=sum(sizes.values())))
    places = sorted((n / size, name) for name, size in sizes.items() for n in range(size))
    counted, numbers, replies = (dict.fromkeys(sizes, 0) for _ in range(3))
    for id, (_, name) in enumerate(places, 1):
        seq = counted[name] = counted[name] + 1
        sentence = next(which)
        text, terms = said[sentence], found[sentence]
        if beside := extra(seq, sizes[name]):
            text, terms = f"{beside} {text}", [*tokens.terms(beside), *terms]
        yield Written(*message(id, name, seq, text, numbers, replies), terms)


def extra(seq: int, size: int) -> str:
    """The words that are searched for."""
    found = []
    if seq % 20 == 0:
        found.append(COMMON)
    if seq % 20 == 7:
        found.append(APART)
    if seq % 200 == 3:
        found.append(SELDOM)
    if seq % (size // 10) == 5:
        found.append(RARE)
    if seq % 250 == 9:
        found.append(PHRASE)
    if seq % 100 == 4:
        found.append(f"{CHINESE}は雨です")
    return " ".join(found)


def message(
    id: int, name: str, seq: int, text: str, numbers: dict[str, int], replies: dict[str, int]
) -> tuple[Record, Record]:
    thread = thread_number = number = None
    if seq > THREAD and seq % 5 == 2 and replies[name] < REPLIES:
        thread, thread_number = THREAD, replies[name] + 1
        replies[name] = thread_number
        place = f'"thread":{thread},"thread_number":{thread_number}'
    else:
        number = numbers[name] = numbers[name] + 1
        place = f'"number":{number}'
    sender = f"user{id * 7 % PEOPLE}"
    created = START + id * 0.5
    parts = f'[{{"type":"text","text":"{text}"}}]'
    root = (REPLIES, created) if seq == THREAD else (0, None)
    row = (id, name, seq, number, thread, thread_number, "user", sender, parts, created, 1, *root)
    head = f'"conversation":"{name}","seq":{seq}'
    data = (
        f'{{"type":"message.created",{head},"time":{created},"actor":"{sender}",'
        f'"message":{{{head},"sender":"{sender}","created":{created},"parts":{parts},{place}}}}}'
    )
    return row, (name, seq, "message.created", seq, sender, created, data)


def vocabulary(dice: random.Random) -> list[str]:
    syllables = [c + v + e for c in "bdfgklmnprstvw" for v in "aeiou" for e in ("", "n", "r", "st", "ll")]
    words = {"".join(dice.choices(syllables, k=dice.randrange(1, 4))) for _ in range(30_000)}
    return sorted(words, key=lambda word: (len(word), word))


def alone(conversation: str) -> str:
    """Who is in this conversation and no other."""
    return f"{READER}-{conversation}"


def around(sizes: dict[str, int]) -> list[tuple[sa.Table, list[dict[str, Any]]]]:
    """People, conversations and memberships."""
    last = START + sum(sizes.values()) * 0.5
    names = [f"user{n}" for n in range(PEOPLE)]
    people = [
        {
            "id": name,
            "kind": "person",
            "name": name.title(),
            "show_last_seen": "everyone",
            "head": 0,
            "created": START,
            "updated": START,
            "changed": 1,
        }
        for name in (*names, *map(alone, sizes))
    ]
    held, belonging = [], []
    for name, size in sizes.items():
        count = size - REPLIES
        held.append(
            {
                "id": name,
                "kind": "group",
                "history": "all",
                "permissions": "{}",
                "closed": False,
                "head": size,
                "messages": count,
                "members": PEOPLE + 1,
                "last_message": size,
                "last_activity": last,
                "created": START,
                "changed": 1,
            }
        )
        read = int(size * UNREAD)
        belonging += [
            {
                "conversation": name,
                "user": person,
                "role": "member",
                "state": "joined",
                "since": START,
                "visible": 0,
                "read": read,
                "read_number": max(read - REPLIES, 0),
                "delivered": size,
                "delivered_number": count,
                "archived": False,
                "changed": 1,
            }
            for person in (*names, alone(name))
        ]
    return [(users, people), (conversations, held), (members, belonging)]


def chunks(sizes: dict[str, int]) -> Iterator[list[Written]]:
    source = talk(sizes)
    while chunk := list(islice(source, CHUNK)):
        yield chunk


def fill(url: str, sizes: dict[str, int]) -> None:
    """Make the tables of an empty database, and write all."""
    if url.startswith("sqlite"):
        fill_sqlite(Path(url.removeprefix("sqlite:///")), sizes)
    else:
        asyncio.run(fill_postgresql(url, sizes))


def fill_sqlite(path: Path, sizes: dict[str, int]) -> None:
    """Make the database and write it."""
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        migrations.upgrade(connection)
        for table, rows in around(sizes):
            connection.execute(sa.insert(table), rows)
        connection.commit()
    engine.dispose()
    opened = sqlite3.connect(path, isolation_level=None)
    opened.execute("PRAGMA journal_mode = WAL")
    opened.execute("PRAGMA synchronous = OFF")
    opened.execute("PRAGMA cache_size = -262144")
    for chunk in chunks(sizes):
        opened.execute("BEGIN")
        opened.executemany(_insert(messages.name, MESSAGE), (each.message for each in chunk))
        opened.executemany(_insert(events.name, EVENT), (each.event for each in chunk))
        opened.executemany(
            "INSERT INTO message_search (rowid, terms) VALUES (?, ?)",
            ((each.message[0], f"{' '.join(each.terms)} {scope(each.message[1])}") for each in chunk),
        )
        opened.execute("COMMIT")
    opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    opened.close()


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


async def fill_postgresql(url: str, sizes: dict[str, int]) -> None:
    """Migrate the database and write it; the index of the search is made at the end."""
    engine = create_async_engine(url.replace("://", "+asyncpg://", 1))
    async with engine.connect() as connection:
        await connection.run_sync(migrations.upgrade)
        for table, rows in around(sizes):
            await connection.execute(sa.insert(table), rows)
        await connection.commit()
    await engine.dispose()
    opened = await asyncpg.connect(url)
    try:
        index = await opened.fetchval("SELECT pg_get_indexdef('ix_message_search_terms'::regclass)")
        await opened.execute("DROP INDEX ix_message_search_terms; SET maintenance_work_mem = '512MB'")
        for chunk in chunks(sizes):
            await opened.copy_records_to_table(
                messages.name, records=[each.message for each in chunk], columns=MESSAGE
            )
            await opened.copy_records_to_table(
                events.name, records=[each.event for each in chunk], columns=EVENT
            )
            await opened.copy_to_table("message_search", source=_vectors(chunk), columns=("id", "terms"))
        await opened.execute(index)
        await opened.execute("SELECT setval(pg_get_serial_sequence('messages', 'id'), max(id)) FROM messages")
        await opened.execute("VACUUM ANALYZE")
    finally:
        await opened.close()


async def _vectors(chunk: Sequence[Written]) -> Any:
    for each in chunk:
        id, conversation, seq = each.message[:3]
        mark = scope(conversation)
        found = vector(each.terms)
        yield f"{id}\t{found} '{mark}' '{mark}.{seq // STRETCH}'\n".encode()
