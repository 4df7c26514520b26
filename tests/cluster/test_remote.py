from __future__ import annotations

from typing import Any

import pytest
from tests.cluster.several import Several
from tests.hub.world import settle

from hubbub.errors import FORCED, REVOKED, ErrorCode, HubbubError, reason
from hubbub.hub import operations
from hubbub.hub.base import Tally
from hubbub.hub.operations import ChannelInfo
from hubbub.model import Principal

pytestmark = pytest.mark.anyio


async def test_a_publication_reaches_the_subscribers_of_all_nodes_and_no_others() -> None:
    async with Several() as several:
        ada, bob = await several[0].connected("ada", "a"), await several[1].connected("bob", "a")
        idle = several[2].broker.delivered
        await operations.publish(several[2].hub, "a", "message", 1)
        await settle()
        assert (ada.texts(), bob.texts()) == ([1], [1])
        assert several[2].broker.delivered == idle


async def test_multicast_reaches_a_user_on_all_nodes() -> None:
    async with Several() as several:
        clients = [await several[number].connected("ada") for number in (0, 1, 1)]
        clients[2].drop()
        bob = await several[2].connected("bob")
        for number in range(3):
            assert await operations.to_user(several[number].hub, "ada", "hello", number) == Tally(3)
        assert [client.texts() for client in clients[:2]] == [[0, 1, 2], [0, 1, 2]]
        assert len(several[1].hub.sessions[clients[2].session].pending or ()) == 3
        assert bob.take() == []


async def test_who_does_not_answer_is_named_and_the_rest_is_done() -> None:
    async with Several() as several:
        for number in range(3):
            await several[number].connected("ada")
        several[2].broker.deaf = True
        told = await several.within(3, operations.to_user(several[0].hub, "ada", "hello", 1))
        assert told == Tally(2, (several[2].id,))


async def test_unicast_finds_the_session_on_whatever_node() -> None:
    async with Several() as several:
        ada = await several[1].connected("ada")
        assert await operations.to_session(several[0].hub, ada.session, "hello", {"n": 1}) == Tally(1)
        assert [(each["event"], each["data"]) for each in ada.take("publication")] == [("hello", {"n": 1})]
        assert await operations.to_session(several[0].hub, "nobody", "hello", 1) == Tally(0)


async def test_unicast_asks_the_node_in_the_id_alone() -> None:
    async with Several() as several:
        ada = await several[1].connected("ada")
        assert ada.session.startswith(several[1].id)
        heard = several[2].broker.delivered
        await operations.to_session(several[0].hub, ada.session, "hello", 1)
        assert several[2].broker.delivered == heard


async def test_a_session_that_was_handed_over_is_found_though_its_id_names_another() -> None:
    async with Several() as several:
        ada = await several[1].connected("ada")
        session = several[1].hub.sessions.pop(ada.session)
        several[2].hub.sessions[ada.session] = session
        assert await operations.to_session(several[0].hub, ada.session, "hello", 1) == Tally(1)
        assert (await operations.find_session(several[0].hub, ada.session)).user == "ada"
        several[1].hub.sessions[ada.session] = several[2].hub.sessions.pop(ada.session)


async def test_the_server_puts_a_user_into_a_channel_and_out_of_it_on_all_nodes() -> None:
    async with Several(2) as several:
        here, there = await several[0].connected("ada"), await several[1].connected("ada")
        assert await operations.subscribe_user(several[0].hub, "ada", "a") == Tally(2)
        await operations.publish(several[1].hub, "a", "message", 1)
        await settle()
        assert (here.texts(), there.texts()) == ([1], [1])
        assert await operations.unsubscribe_user(several[0].hub, "ada", "a") == Tally(2)
        assert await operations.unsubscribe_user(several[0].hub, "ada", "a") == Tally(0)


async def test_sessions_end_on_all_nodes() -> None:
    async with Several(2) as several:
        here, there = await several[0].connected("ada"), await several[1].connected("ada")
        bob = await several[1].connected("bob")
        assert await operations.disconnect(several[0].hub, session=bob.session) == Tally(1)
        assert bob.connection.closed == FORCED
        assert await operations.disconnect(several[0].hub, user="ada", reason=reason(4321)) == Tally(2)
        for client in (here, there):
            assert client.connection.closed is not None
            assert client.connection.closed.code == 4321
        assert await operations.disconnect(several[0].hub, user="ada") == Tally(0)


async def test_only_that_user_s_session_ends() -> None:
    async with Several(2) as several:
        bob = await several[1].connected("bob")
        assert await operations.disconnect(several[0].hub, session=bob.session, user="ada") == Tally(0)
        assert bob.connection.closed is None


async def test_sessions_are_listed_in_pages_that_miss_none() -> None:
    async with Several() as several:
        clients = [
            await several[number % 3].connected("ada" if number % 2 else "bob") for number in range(11)
        ]
        seen: list[str] = []
        while True:
            page, incomplete = await operations.session_list(
                several[0].hub, None, seen[-1] if seen else "", 4
            )
            assert incomplete == ()
            if not page:
                break
            seen += [each.session for each in page]
            assert all(each.node == each.session[:6] for each in page)
        assert seen == sorted(client.session for client in clients)
        ada, _ = await operations.session_list(several[2].hub, "ada")
        assert [each.user for each in ada] == ["ada"] * 5
        several[1].broker.deaf = True
        page, incomplete = await several.within(3, operations.session_list(several[0].hub))
        assert incomplete == (several[1].id,)
        assert {each.node for each in page} == {several[0].id, several[2].id}


async def test_a_session_elsewhere_is_described_and_one_nowhere_is_not_found() -> None:
    async with Several() as several:
        ada = await several[1].connected("ada", "a", "b")
        found = await operations.find_session(several[0].hub, ada.session)
        assert (found.user, found.channels, found.node) == ("ada", ("a", "b"), several[1].id)
        with pytest.raises(HubbubError) as failure:
            await operations.find_session(several[0].hub, "nobody")
        assert failure.value.code == ErrorCode.NOT_FOUND
        several[1].broker.deaf = True
        with pytest.raises(HubbubError) as failure:
            await several.within(5, operations.find_session(several[0].hub, ada.session))
        assert failure.value.code == ErrorCode.NODE_UNAVAILABLE
        assert several[1].id in failure.value.message
        with pytest.raises(HubbubError) as failure:
            operations.require(
                await several.within(5, operations.to_session(several[0].hub, ada.session, "x", 1))
            )
        assert failure.value.code == ErrorCode.NODE_UNAVAILABLE


async def test_channels_are_counted_over_all_nodes() -> None:
    async with Several() as several:
        await several[0].connected("ada", "a:1", "a:2")
        await several[1].connected("bob", "a:2", "b")
        await several[2].connected("eve", "a:2", "a:3")
        found, incomplete = await operations.channel_list(several[0].hub)
        sizes = [(each.name, each.subscribers) for each in found]
        assert sizes == [("a:1", 1), ("a:2", 3), ("a:3", 1), ("b", 1)]
        assert incomplete == ()
        found, _ = await operations.channel_list(several[1].hub, "a:", 2)
        assert [(each.name, each.subscribers) for each in found] == [("a:1", 1), ("a:2", 3)]
        info = await operations.channel_info(several[2].hub, "a:2")
        assert (info.subscribers, info.incomplete) == (3, ())
        several[1].broker.deaf = True
        info = await several.within(3, operations.channel_info(several[2].hub, "a:2"))
        assert (info.subscribers, info.incomplete) == (2, (several[1].id,))
        found, incomplete = await several.within(3, operations.channel_list(several[0].hub, "a:2"))
        assert found == [ChannelInfo("a:2", 2)]
        assert incomplete == (several[1].id,)


class TestRevocation:
    @staticmethod
    def token(several: Several, user: str, token_id: str) -> None:
        for node in several.nodes:
            node.world.policy.principal[token_id] = Principal(
                user, token_id=token_id, issued=several.clock.now() - 1
            )

    async def test_ends_the_sessions_on_all_nodes_and_refuses_there(self) -> None:
        async with Several() as several:
            self.token(several, "ada", "1")
            self.token(several, "ada", "2")
            one, two = await several[1].connected("1"), await several[2].connected("2")
            several[0].revocations.revoke_token("1")
            assert await operations.end_revoked(several[0].hub, token_id="1") == Tally(1)
            assert (one.connection.closed, two.connection.closed) == (REVOKED, None)
            now = several.clock.now()
            assert all(node.revocations.revoked("ada", "1", now) for node in several.nodes)
            assert not any(node.revocations.revoked("ada", "2", now - 1) for node in several.nodes)
            several[0].revocations.revoke_user("ada")
            assert await operations.end_revoked(several[0].hub, user="ada") == Tally(1)
            assert all(node.revocations.revoked("ada", None, now - 1) for node in several.nodes)
            assert not any(node.revocations.revoked("ada", None, now + 60) for node in several.nodes)

    async def test_is_told_again_to_a_node_that_did_not_hear_it(self) -> None:
        async with Several() as several:
            self.token(several, "ada", "1")
            ada = await several[1].connected("1")
            several[1].broker.deaf = True
            several[0].revocations.revoke_user("ada")
            told = await several.within(3, operations.end_revoked(several[0].hub, user="ada"))
            assert told == Tally(0, (several[1].id,))
            assert ada.connection.closed is None
            await several.pass_by(6)
            several[1].broker.deaf = False
            await several.pass_by(4)
            assert ada.connection.closed == REVOKED
            assert several[1].revocations.revoked("ada", "1", several.clock.now() - 60)
            assert not several[0].cluster.remote._untold

    async def test_is_known_to_a_node_that_comes_later(self) -> None:
        async with Several(2) as several:
            several[0].revocations.revoke_user("ada")
            several[0].revocations.revoke_token("1")
            await operations.end_revoked(several[0].hub, user="ada")
            late = several.add()
            several.nodes.append(late)
            await late.start()
            assert late.revocations.known() == several[0].revocations.known()

    async def test_is_asked_for_until_all_have_answered(self) -> None:
        async with Several(2) as several:
            several[0].revocations.revoke_user("ada")
            several[0].broker.deaf = True
            late = several.add()
            several.nodes.append(late)
            await several.state.delete("revoked")  # where it would have read it
            await several.within(3, late.start())
            assert late.revocations.known() == []
            several[0].broker.deaf = False
            await several.pass_by(2)
            assert late.revocations.known() == several[0].revocations.known()

    async def test_is_learnt_by_a_node_that_found_nobody_when_it_started(self) -> None:
        async with Several(2) as several:
            several[0].revocations.revoke_user("ada")
            late = several.add()
            several.nodes.append(late)
            late.state.cut = True
            await late.start()
            assert late.revocations.known() == []
            late.state.cut = False
            await several.pass_by(2)
            assert late.revocations.known() == several[0].revocations.known()

    async def test_is_known_when_no_node_was_left_to_ask(self) -> None:
        async with Several(1) as several:
            several[0].state.cut = True
            several[0].revocations.revoke_user("ada")
            await operations.end_revoked(several[0].hub, user="ada")
            several[0].state.cut = False
            await several.pass_by(2)
            known = several[0].revocations.known()
            several[0].kill()
            late = several.add()
            several.nodes.append(late)
            await several.within(3, late.start())
            assert late.revocations.known() == known
            assert len(known) == 1

    async def test_one_deaf_node_does_not_keep_it_from_others(self) -> None:
        async with Several(3) as several:
            for node in several.nodes[1:]:
                node.broker.deaf = True
            several[0].revocations.revoke_user("ada")
            await several.within(3, operations.end_revoked(several[0].hub, user="ada"))
            first = next(iter(several[0].cluster.remote._untold))
            other = next(node for node in several.nodes[1:] if node.id != first)
            other.broker.deaf = False
            await several.pass_by(6)
            assert len(other.revocations.known()) == 1
            assert list(several[0].cluster.remote._untold) == [first]

    async def test_is_learnt_by_a_node_that_was_held_dead(self) -> None:
        async with Several(2) as several:
            self.token(several, "ada", "1")
            ada = await several[1].connected("1")
            several[1].cut_off()
            await several.pass_by(6)
            assert not several[0].cluster.nodes.others
            several[0].revocations.revoke_user("ada")
            assert await operations.end_revoked(several[0].hub, user="ada") == Tally(0)
            several[1].rejoin()
            await several.pass_by(3)
            assert ada.connection.closed == REVOKED

    async def test_without_revocations_there_is_nothing_to_tell(self) -> None:
        async with Several(2) as several:
            several[0].cluster.remote._revocations = None
            assert await operations.end_revoked(several[0].hub, user="ada") == Tally(0)
            answer: Any = several[0].cluster.remote._revoked("x", None)  # type: ignore[arg-type]
            assert answer.revoked == ()


async def test_nobody_s_sessions_are_not_everybody_s() -> None:
    async with Several(2) as several:
        ada = await several[1].connected("ada")
        with pytest.raises(HubbubError) as failure:
            await several[0].cluster.bus.ask(
                several[1].id, __import__("hubbub.cluster.remote", fromlist=["END"]).END, _end_all()
            )
        assert failure.value.code == ErrorCode.BAD_REQUEST
        assert ada.connection.closed is None


def _end_all() -> Any:
    from hubbub.cluster.remote import End

    return End(None, None, FORCED.code)


async def test_all_nodes_are_listed() -> None:
    async with Several() as several:
        listed = operations.nodes(several[0].hub)
        assert [node.id for node in listed] == sorted(node.id for node in several.nodes)
