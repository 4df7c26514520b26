from __future__ import annotations

from itertools import islice

from hubbub.broker.identity import digest_of, ids
from hubbub.testing.contracts import publication


def test_ids_are_short_and_nobody_elses() -> None:
    one, two = list(islice(ids(), 50_000)), list(islice(ids(), 100))
    assert len(set(one) | set(two)) == 50_100
    assert max(map(len, one)) == 12
    assert len({id[:8] for id in one}) == 1


def test_a_digest_is_of_channel_event_and_data_and_of_their_bounds() -> None:
    same = publication("a", b'{"a":1}', event="e")
    assert digest_of(same) == digest_of(publication("a", b'{"a":1}', event="e", sender="ann", key="k"))
    others = [
        publication("b", b'{"a":1}', event="e"),
        publication("a", b'{"a": 1}', event="e"),
        publication("a", b'{"a":1}', event="f"),
        publication("ae", b'{"a":1}', event=""),
        publication("", b'{"a":1}', event="ae"),
    ]
    assert len({digest_of(each) for each in [same, *others]}) == 6
