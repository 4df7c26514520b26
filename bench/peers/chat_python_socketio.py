"""A chat on python-socketio as one writes it: each message is a transaction that is awaited, then emitted, then
acknowledged. uvicorn with uvloop, WebSocket only, no compression; aiosqlite or asyncpg, at their best in this shape.

Durable as Hubbub is: WAL with synchronous=FULL, PostgreSQL with synchronous_commit. Nobody is verified, no limits are
kept, no keys remembered. Usage: python chat_python_socketio.py PORT DATABASE_URL PLAN
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from functools import partial
from typing import Any

import uvicorn

import socketio  # type: ignore[import-untyped]

SCHEMA = """
CREATE TABLE conversations (id TEXT PRIMARY KEY, head BIGINT NOT NULL, last_activity DOUBLE PRECISION NOT NULL);
CREATE TABLE members (conversation TEXT NOT NULL, user_id TEXT NOT NULL, role TEXT NOT NULL, read BIGINT NOT NULL,
  PRIMARY KEY (conversation, user_id));
CREATE INDEX members_user ON members (user_id);
CREATE TABLE messages (conversation TEXT NOT NULL, seq BIGINT NOT NULL, sender TEXT NOT NULL, body TEXT NOT NULL,
  created DOUBLE PRECISION NOT NULL, PRIMARY KEY (conversation, seq));
"""
NEXT = "UPDATE conversations SET head = head + 1, last_activity = $1 WHERE id = $2 RETURNING head"
MEMBER = "SELECT role FROM members WHERE conversation = $1 AND user_id = $2"
INSERT = "INSERT INTO messages (conversation, seq, sender, body, created) VALUES ($1, $2, $3, $4, $5)"
READ = "UPDATE members SET read = $1 WHERE conversation = $2 AND user_id = $3"
ROOMS = "SELECT conversation FROM members WHERE user_id = $1"
POOL = 10
"""Connections to PostgreSQL: asyncpg's default."""


class NotAMember(Exception):
    """The sender may not."""


class Sqlite:
    """One connection, and a lock around each transaction."""

    def __init__(self, url: str) -> None:
        self._path = url.removeprefix("sqlite:///")

    async def open(self, plan: Any) -> None:
        import aiosqlite

        self._lock = asyncio.Lock()
        self._connection = await aiosqlite.connect(self._path, isolation_level=None)
        await self._connection.execute("PRAGMA journal_mode = WAL")
        await self._connection.execute("PRAGMA synchronous = FULL")
        await self._connection.executescript(SCHEMA)
        await self._connection.execute("BEGIN")
        await self._connection.executemany(
            "INSERT INTO conversations VALUES (?, 0, 0)", [(room["id"],) for room in plan["rooms"]]
        )
        await self._connection.executemany("INSERT INTO members VALUES (?, ?, 'member', 0)", _members(plan))
        await self._connection.execute("COMMIT")

    async def close(self) -> None:
        await self._connection.close()

    async def rooms(self, user: str) -> list[str]:
        rows = await self._connection.execute_fetchall(_question(ROOMS), (user,))
        return [row[0] for row in rows]

    async def append(self, conversation: str, sender: str, body: str, now: float) -> int:
        connection = self._connection
        async with self._lock:
            await connection.execute("BEGIN IMMEDIATE")
            try:
                member = await connection.execute_fetchall(_question(MEMBER), (conversation, sender))
                if not member:
                    raise NotAMember
                [(seq,)] = await connection.execute_fetchall(_question(NEXT), (now, conversation))
                await connection.execute(_question(INSERT), (conversation, seq, sender, body, now))
                await connection.execute(_question(READ), (seq, conversation, sender))
            except BaseException:
                await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")
        return int(seq)


class Postgres:
    """A pool; the conversation's row is what orders its messages."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def open(self, plan: Any) -> None:
        import asyncpg  # type: ignore[import-untyped]

        self._pool = await asyncpg.create_pool(self._url, min_size=POOL, max_size=POOL)
        async with self._pool.acquire() as connection:
            await connection.execute(SCHEMA)
            await connection.executemany(
                "INSERT INTO conversations VALUES ($1, 0, 0)", [(room["id"],) for room in plan["rooms"]]
            )
            await connection.executemany("INSERT INTO members VALUES ($1, $2, 'member', 0)", _members(plan))

    async def close(self) -> None:
        await self._pool.close()

    async def rooms(self, user: str) -> list[str]:
        return [row[0] for row in await self._pool.fetch(ROOMS, user)]

    async def append(self, conversation: str, sender: str, body: str, now: float) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(MEMBER, conversation, sender) is None:
                raise NotAMember
            seq = await connection.fetchval(NEXT, now, conversation)
            await connection.execute(INSERT, conversation, seq, sender, body, now)
            await connection.execute(READ, seq, conversation, sender)
        return int(seq)


def _question(statement: str) -> str:
    """With SQLite's placeholders: those of PostgreSQL are in order here."""
    for number in range(1, 6):
        statement = statement.replace(f"${number}", "?")
    return statement


def _members(plan: Any) -> list[tuple[str, str]]:
    return [(room["id"], member) for room in plan["rooms"] for member in room["members"]]


server = socketio.AsyncServer(
    async_mode="asgi", transports=["websocket"], http_compression=False, logger=False, engineio_logger=False
)
users: dict[str, str] = {}
store: Sqlite | Postgres


@server.event  # type: ignore[untyped-decorator]
async def connect(sid: str, environ: Any, auth: Any) -> None:
    users[sid] = auth["user"]
    for room in await store.rooms(auth["user"]):
        await server.enter_room(sid, room)


@server.event  # type: ignore[untyped-decorator]
async def disconnect(sid: str, reason: Any = None) -> None:
    users.pop(sid, None)


@server.event  # type: ignore[untyped-decorator]
async def send(sid: str, data: Any) -> dict[str, Any]:
    conversation, now = data["conversation"], time.time()
    try:
        seq = await store.append(conversation, users[sid], data["text"], now)
    except NotAMember:
        return {"error": "not a member"}
    message = {
        "conversation": conversation,
        "sender": users[sid],
        "text": data["text"],
        "created": now,
        "seq": seq,
    }
    await server.emit("message", message, room=conversation)
    return message


def main() -> None:
    global store
    port, url, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        plan = json.load(file)
    store = Sqlite(url) if url.startswith("sqlite:") else Postgres(url)

    app = socketio.ASGIApp(server, on_startup=partial(store.open, plan), on_shutdown=store.close)
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
        access_log=False,
        lifespan="on",
        backlog=4096,
    )


if __name__ == "__main__":
    main()
