from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.api.server import Server

from hubbub.api.paths import encoded
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


async def test_a_publication_reaches_the_log_and_the_subscribers(server: Server) -> None:
    ada = await server.connected("ada", "orders:eu")
    answer = await server.ok(
        "POST", "/v1/publish", {"channel": "orders:eu", "event": "paid", "data": {"id": 7}}
    )
    (push,) = ada.take("publication")
    assert (push["event"], push["data"], push["offset"]) == ("paid", {"id": 7}, 1)
    assert answer == {"id": push["id"], "position": {"epoch": push["epoch"], "offset": 1}}
    assert server.world.metrics.publications == 1


async def test_where_no_log_is_kept_there_is_no_position(server: Server) -> None:
    answer = await server.ok("POST", "/v1/publish", {"channel": "plain:x", "data": None})
    assert set(answer) == {"id"}


async def test_the_bytes_of_data_are_not_touched(server: Server) -> None:
    data = '{"b":1.50,"a":"\\u00e9 \u00e9","big":12345678901234567890}'
    await server.ok("POST", "/v1/publish", raw=f'{{"channel":"a","data":{data}}}'.encode())
    response = await server.call("GET", "/v1/channels/a/history")
    assert f'"data":{data}' in response.text


async def test_a_session_may_be_left_out(server: Server) -> None:
    ada, bob = await server.connected("ada", "a"), await server.connected("bob", "a")
    await server.ok("POST", "/v1/publish", {"channel": "a", "data": 1, "exclude": ada.session})
    assert (ada.texts(), bob.texts()) == ([], [1])


@pytest.mark.parametrize("channel", ["", "a b", ":a", "a:", "a*", "é", "a/../b", "x" * 256, "a\x00b"])
async def test_a_channel_name_is_checked(server: Server, channel: str) -> None:
    body = {"channel": channel, "data": 1}
    await server.refused(ErrorCode.INVALID_CHANNEL, "POST", "/v1/publish", body, field="channel")


@pytest.mark.parametrize("field", ["event", "key", "conflation_key"])
@pytest.mark.parametrize("text", ["", "x" * 129, "a\nb", "\u202e"])
async def test_names_are_printable_and_short(server: Server, field: str, text: str) -> None:
    body = {"channel": "a", "data": 1, field: text}
    await server.refused(ErrorCode.BAD_REQUEST, "POST", "/v1/publish", body, field=field)


async def test_data_may_be_too_large(server: Server) -> None:
    body = {"channel": "a", "data": "x" * 65_536}
    await server.refused(ErrorCode.MESSAGE_TOO_LARGE, "POST", "/v1/publish", body, field="data")
    assert server.world.metrics.rejected["message_bytes"] == 1


class TestIdempotency:
    async def test_the_same_key_and_content_publishes_once(self, server: Server) -> None:
        ada = await server.connected("ada", "a")
        body = {"channel": "a", "data": 1, "key": "k"}
        first, second = [await server.ok("POST", "/v1/publish", body) for _ in range(2)]
        assert second == first | {"duplicate": True}
        assert ada.texts() == [1]

    async def test_the_header_is_the_same_as_the_key(self, server: Server) -> None:
        first = await server.ok("POST", "/v1/publish", {"channel": "a", "data": 1, "key": "k"})
        body = {"channel": "a", "data": 1}
        second = await server.ok("POST", "/v1/publish", body, headers={"Idempotency-Key": "k"})
        assert (second["id"], second["duplicate"]) == (first["id"], True)

    async def test_header_and_key_must_agree(self, server: Server) -> None:
        body = {"channel": "a", "data": 1, "key": "k"}
        await server.ok("POST", "/v1/publish", body, headers={"Idempotency-Key": "k"})
        await server.refused(
            ErrorCode.BAD_REQUEST,
            "POST",
            "/v1/publish",
            body,
            headers={"Idempotency-Key": "other"},
            field="key",
        )

    @pytest.mark.parametrize("change", [{"data": 2}, {"event": "other"}])
    async def test_another_body_with_the_key_is_an_error(
        self, server: Server, change: dict[str, Any]
    ) -> None:
        body = {"channel": "a", "data": 1, "event": "e", "key": "k"}
        await server.ok("POST", "/v1/publish", body)
        await server.refused(ErrorCode.IDEMPOTENCY_CONFLICT, "POST", "/v1/publish", body | change)

    @pytest.mark.parametrize("header", ["", "x" * 129, "a\tb"])
    async def test_the_header_is_checked_as_the_key_is(self, server: Server, header: str) -> None:
        await server.refused(
            ErrorCode.BAD_REQUEST,
            "POST",
            "/v1/publish",
            {"channel": "a", "data": 1},
            headers={"Idempotency-Key": header},
            field="key",
        )

    async def test_a_client_cannot_use_up_a_key_of_the_server(self, server: Server) -> None:
        ada = await server.connected("ada", "a")
        await ada.ask(type="publish", channel="a", data=1, key="k")
        answer = await server.ok("POST", "/v1/publish", {"channel": "a", "data": 1, "key": "k"})
        assert "duplicate" not in answer

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/v1/publish", {"channel": "a", "data": 1, "key": "k"}),
            ("/v1/publish/batch", {"items": [{"channel": "a", "data": 1, "key": "k"}]}),
            ("/v1/broadcast", {"channels": ["a"], "data": 1, "key": "k"}),
            ("/v1/users/ada/publish", {"data": 1, "key": "k"}),
            ("/v1/connections/{session}/publish", {"data": 1, "key": "k"}),
        ],
    )
    async def test_twins_at_once_publish_once(self, server: Server, path: str, body: dict[str, Any]) -> None:
        ada = await server.connected("ada", "a")
        path = path.format(session=ada.session)
        await asyncio.gather(*(server.ok("POST", path, body) for _ in range(8)))
        assert ada.texts() == [1]

    @pytest.mark.parametrize("path", ["/v1/users/ada/publish", "/v1/connections/{session}/publish"])
    async def test_direct_events_have_keys_too(self, server: Server, path: str) -> None:
        ada = await server.connected("ada")
        path = path.format(session=ada.session)
        for _ in range(2):
            assert await server.ok("POST", path, {"data": 1}, headers={"Idempotency-Key": "k"}) == {
                "sessions": 1
            }
        assert ada.texts() == [1]
        await server.refused(
            ErrorCode.IDEMPOTENCY_CONFLICT, "POST", path, {"data": 2, "key": "k"}, field="key"
        )

    async def test_keys_of_different_users_are_different(self, server: Server) -> None:
        ada, bob = await server.connected("ada"), await server.connected("bob")
        for user in ("ada", "bob"):
            await server.ok("POST", f"/v1/users/{user}/publish", {"data": user, "key": "k"})
        assert (ada.texts(), bob.texts()) == (["ada"], ["bob"])

    async def test_a_batch_that_is_sent_again_publishes_what_is_missing(self, server: Server) -> None:
        ada = await server.connected("ada", "a")
        header = {"Idempotency-Key": "batch"}
        broken = {"items": [{"channel": "a", "data": 1}, {"channel": "*", "data": 2}]}
        whole = {"items": [{"channel": "a", "data": 1}, {"channel": "a", "data": 2}]}
        first = await server.ok("POST", "/v1/publish/batch", broken, headers=header)
        second = await server.ok("POST", "/v1/publish/batch", whole, headers=header)
        assert ada.texts() == [1, 2]
        assert second["outcomes"][0]["published"]["id"] == first["outcomes"][0]["published"]["id"]
        assert second["outcomes"][0]["published"]["duplicate"] is True

    async def test_batches_with_different_keys_are_different(self, server: Server) -> None:
        ada = await server.connected("ada", "a")
        body = {"items": [{"channel": "a", "data": 1}]}
        for key in ("one", "two"):
            await server.ok("POST", "/v1/publish/batch", body, headers={"Idempotency-Key": key})
        await server.ok("POST", "/v1/publish", {"channel": "a", "data": 2, "key": "0"})
        assert ada.texts() == [1, 1, 2]

    async def test_a_broadcast_counts_its_key_in_each_channel(self, server: Server) -> None:
        ada = await server.connected("ada", "a", "b")
        body = {"channels": ["a"], "data": 1, "key": "k"}
        await server.ok("POST", "/v1/broadcast", body)
        await server.ok("POST", "/v1/broadcast", body | {"channels": ["a", "b"]})
        assert [push["channel"] for push in ada.take("publication")] == ["a", "b"]


async def test_a_batch_goes_in_order_and_past_what_fails(server: Server) -> None:
    ada = await server.connected("ada", "a", "b")
    items = [
        {"channel": "a", "data": 1},
        {"channel": "no good", "data": 2},
        {"channel": "b", "data": 3, "key": "k"},
        {"channel": "b", "data": 4, "key": "k"},
        {"channel": "a", "data": 5},
    ]
    outcomes = (await server.ok("POST", "/v1/publish/batch", {"items": items}))["outcomes"]
    assert [set(each) for each in outcomes] == [
        {"published"},
        {"error"},
        {"published"},
        {"error"},
        {"published"},
    ]
    assert [outcomes[place]["error"]["code"] for place in (1, 3)] == [
        ErrorCode.INVALID_CHANNEL,
        ErrorCode.IDEMPOTENCY_CONFLICT,
    ]
    assert outcomes[1]["error"]["field"] == "channel"
    assert ada.texts() == [1, 3, 5]
    assert server.world.metrics.errors[ErrorCode.INVALID_CHANNEL] == 1


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/publish/batch", {"items": [{"channel": "a", "data": 1}] * 4}, "items"),
        ("/v1/broadcast", {"channels": ["a", "b", "c", "d"], "data": 1}, "channels"),
    ],
)
async def test_a_batch_has_a_greatest_size(path: str, body: dict[str, Any], field: str) -> None:
    server = await Server(limits={"batch": 3}).start()
    await server.refused(ErrorCode.LIMIT_EXCEEDED, "POST", path, body, field=field)
    assert (server.world.metrics.rejected["batch"], server.world.metrics.publications) == (1, 0)
    await server.stop()


async def test_a_batch_may_be_empty(server: Server) -> None:
    assert await server.ok("POST", "/v1/publish/batch", {"items": []}) == {"outcomes": []}


async def test_a_broadcast_has_an_outcome_for_each_channel(server: Server) -> None:
    ada = await server.connected("ada", "a", "b")
    answer = await server.ok("POST", "/v1/broadcast", {"channels": ["a", "*", "b"], "event": "e", "data": 1})
    assert [set(each) for each in answer["outcomes"]] == [{"published"}, {"error"}, {"published"}]
    assert [(push["channel"], push["event"]) for push in ada.take("publication")] == [("a", "e"), ("b", "e")]


async def test_multicast_reaches_all_sessions_of_a_user(server: Server) -> None:
    phone, laptop, bob = [await server.connected(user) for user in ("ada", "ada", "bob")]
    laptop.drop()
    assert await server.ok("POST", "/v1/users/ada/publish", {"event": "e", "data": 1}) == {"sessions": 2}
    assert await server.ok("POST", "/v1/users/nobody/publish", {"data": 1}) == {"sessions": 0}
    assert [(push["channel"], push["event"]) for push in phone.take()] == [("user:ada", "e")]
    assert bob.take() == []


async def test_unicast_reaches_one_session(server: Server) -> None:
    phone, laptop = await server.connected("ada"), await server.connected("ada")
    assert await server.ok("POST", f"/v1/connections/{phone.session}/publish", {"data": 1}) == {"sessions": 1}
    assert (phone.texts(), laptop.texts()) == ([1], [])


async def test_unicast_to_nobody_is_not_found_however_often(server: Server) -> None:
    for _ in range(2):
        body = {"data": 1, "key": "k"}
        await server.refused(ErrorCode.NOT_FOUND, "POST", "/v1/connections/x/publish", body, field="session")


@pytest.mark.parametrize("user", ["a/b", "a%b", "a b", "é\u4e2d", "...", "a?b#c", 'q"\\', "publish", "a:b@c"])
async def test_users_may_have_odd_ids(server: Server, user: str) -> None:
    ada = await server.connected(user)
    assert await server.ok("POST", f"/v1/users/{encoded(user)}/publish", {"data": 1}) == {"sessions": 1}
    assert ada.texts() == [1]
