"""The comparison of durable chats: the load accounts for every message, and each server does what is measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.chat.adapters import HubbubChat, SocketIOChat
from bench.chat.load import Audience
from bench.chat.measure import FAULTS, ROWS, Found, Goal, Settings, judged, markdown, measure, sync_ms
from bench.chat.plan import SIZE, layout, load
from bench.chat.profile import summary
from bench.chat.servers import DATABASES, NODE_SQLITE, SERVERS, Database

from hubbub.loadgen.adapters import Kind

SMALL = Settings(seconds=0.5, warmup=0.1, pinned=False, scale=50)
BUILT = any(NODE_SQLITE.glob("node_modules/better-sqlite3/build/Release/*.node"))


# --- who is where ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("people", [10, 50, 500])
def test_everybody_is_in_conversations_of_ten(people: int) -> None:
    plan = layout(people)
    assert len(set(plan.users)) == people
    assert all(len(set(room.members)) == SIZE for room in plan.rooms)
    assert {len(rooms) for rooms in plan.rooms_of()} == {1 if people == SIZE else 2}
    assert len({room.id for room in plan.rooms}) == len(plan.rooms)


def test_a_plan_is_the_same_when_it_is_read_again(tmp_path: Path) -> None:
    layout(20).save(tmp_path / "plan.json")
    assert load(tmp_path / "plan.json") == layout(20)
    with pytest.raises(ValueError):
        layout(15)


# --- what is heard --------------------------------------------------------------------------------------------------


def test_what_hubbub_says_is_read() -> None:
    adapter = HubbubChat()
    event = (
        b'{"type":"publication","channel":"conversation:abc","event":"%b","data":{"seq":1,"text":"a:1"},'
        b'"id":"e-12","epoch":"e","offset":12}'
    )
    assert adapter.delivery(event % b"message.created") == (b"abc", 12)
    assert adapter.delivery(event % b"message.updated") is None
    assert adapter.delivery(b'{"type":"publication","channel":"inbox:a","event":"message.created"}') is None
    ack = b'{"type":"result","id":7,"result":{"message":{"conversation":"abc","seq":12,"sender":"x"}}}'
    assert adapter.kind(ack) is Kind.REPLY
    assert adapter.ack(ack) == (7, b"abc", 12)
    busy = b'{"type":"error","id":7,"code":1,"message":"x","temporary":true}'
    assert adapter.kind(busy) is Kind.REPLY
    assert adapter.ack(busy) == (7, b"", 0)
    assert adapter.kind(b'{"type":"error","id":7,"code":1,"message":"x"}') is Kind.ERROR


def test_what_the_peers_say_is_read() -> None:
    adapter = SocketIOChat()
    message = b'{"conversation":"c1","sender":"u","text":"t","created":1.5,"seq":3}'
    assert adapter.delivery(b'42["message",%b]' % message) == (b"c1", 3)
    assert adapter.delivery(b"430[%b]" % message) is None
    assert adapter.ack(b"4317[%b]" % message) == (17, b"c1", 3)
    assert adapter.kind(b'4317[{"error":"not a member"}]') is Kind.ERROR


def test_everything_that_goes_astray_is_counted() -> None:
    audience = Audience(layout(SIZE))
    for seq in (1, 2, 4, 3, 3, 6):
        audience.hear(0, b"c0", seq)
    for index in range(1, SIZE):
        for seq in range(1, 7):
            audience.hear(index, b"c0", seq)
    audience.acked(b"c0", 6)
    assert (audience.disordered, audience.repeated, audience.lost()) == (1, 1, 1)  # 3 late, 3 again, 5 never
    audience.acked(b"c0", 7)
    assert audience.lost() == 1 + SIZE


# --- what is said of it ---------------------------------------------------------------------------------------------


def test_goals_are_judged_by_medians_with_the_figures_of_both_sides() -> None:
    found: Found = {
        ("500", "sqlite", "hubbub"): {"acks_per_s": [6_000.0, 1.0, 9_000.0]},
        ("500", "sqlite", "socketio"): {"acks_per_s": [1_000.0]},
        ("500", "sqlite", "python-socketio"): {"acks_per_s": [3_000.0], "lost": [2.0]},
        ("paced", "sqlite", "hubbub"): {"ack_p95_ms": [60.0]},
    }
    entries = {(entry["row"], entry["peer"]): entry for entry in judged(found)}
    assert {place: entry["met"] for place, entry in entries.items()} == {
        ("500", None): True,
        ("500", "socketio"): True,
        ("500", "python-socketio"): False,
        ("paced", None): False,
    }
    assert entries["500", "socketio"]["value"] == 6.0
    table = markdown(judged(found), found, "about")
    assert (
        "| 500 senders | sqlite | acks_per_s | 6,000 | python-socketio 3,000 | 2 × | ≥ 3 × | **missed** |"
        in table
    )
    assert "lost 2 |" in table


def test_goals_name_rows_that_exist() -> None:
    from bench.chat.measure import GOALS

    assert all(goal.row in ROWS and isinstance(goal, Goal) for goal in GOALS)
    assert all(set(row.servers) <= set(SERVERS) for row in ROWS.values())


def test_a_profile_is_summed_up() -> None:
    text = summary("main;run (a.py:1);send (a.py:7) 30\nmain;run (a.py:2) 10\n")
    assert "40 samples" in text
    assert "75.0%  75.0%  send (a.py" in text
    assert "100.0%  run (a.py" in text


def test_the_disk_is_timed(tmp_path: Path) -> None:
    assert sync_ms(tmp_path, times=3) > 0
    assert not list(tmp_path.iterdir())


# --- the servers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("row", "database"), [("500", "sqlite"), ("500", "postgres"), ("paced", "sqlite")])
def test_hubbub_loses_nothing_under_load(database: Database, row: str) -> None:
    figures = measure(ROWS[row], database, SERVERS["hubbub"], SMALL)
    assert {name: figures[name] for name in FAULTS} == dict.fromkeys(FAULTS, 0)
    assert figures["acknowledged"] > 0
    assert figures["delivered"] == figures["acknowledged"] * SIZE
    assert figures["server_each_us"] > 0
    assert ("database_each_us" in figures) is (database == "postgres")


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("peer", ["python-socketio", "socketio"])
def test_peers_do_the_same_work(database: Database, peer: str) -> None:
    if (peer, database) == ("socketio", "sqlite") and not BUILT:
        pytest.skip("better-sqlite3 is not built: `python -m bench.chat` tries to")
    assert SERVERS[peer].missing(database) is None, "run `scripts/setup dev` first"
    figures = measure(ROWS["500"], database, SERVERS[peer], SMALL)
    assert figures["acknowledged"] > 0
    assert figures["delivered"] == figures["acknowledged"] * SIZE
    assert (figures["lost"], figures["repeated"], figures["uncounted"]) == (0, 0, 0)
