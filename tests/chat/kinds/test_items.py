from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hubbub.chat.kinds.items import Item, keep, revise
from hubbub.config.sections import LimitsConfig

LIMITS = LimitsConfig()
texts = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True)


def items(*texts: str) -> tuple[Item, ...]:
    return keep([Item(text=each) for each in texts], "items", 1, "poll_options", LIMITS)[0]


def ids(found: tuple[Item, ...]) -> dict[str, str | None]:
    return {item.text: item.id for item in found}


def test_new_ones_get_ids_that_nothing_had() -> None:
    old = items("a", "b", "c")
    first = revise([Item(text="c"), Item(text="d"), Item(id="1", text="A")], old, 2)
    assert ids(first) == {"c": "3", "d": "2-1", "A": "1"}
    assert ids(revise([Item(text="b"), Item(text="e")], first, 3)) == {"b": "3-1", "e": "3-2"}


def test_an_id_that_is_given_comes_before_a_text() -> None:
    old = items("a", "b")
    assert ids(revise([Item(text="a"), Item(id="1", text="b")], old, 2)) == {"a": "2-1", "b": "1"}


@given(st.lists(texts, min_size=2, max_size=6))
def test_an_id_never_means_two_things(versions: list[list[str]]) -> None:
    """As long as nobody gives ids by hand, and an item that is taken away may come back as another one."""
    now = items(*versions[0])
    meant: dict[str | None, str] = {item.id: item.text for item in now}
    for version, said in enumerate(versions[1:], 2):
        old = ids(now)
        now, _ = keep(revise([Item(text=each) for each in said], now, version), "", 1, "poll_options", LIMITS)
        for item in now:
            assert meant.setdefault(item.id, item.text) == item.text
            assert item.text not in old or old[item.text] == item.id


def test_new_ones_get_no_id_that_somebody_has_given() -> None:
    old, _ = keep([Item(id="2-1", text="a"), Item(text="b")], "items", 1, "poll_options", LIMITS)
    assert ids(revise([Item(text="c"), Item(id="2-2", text="d"), Item(text="e")], old, 2)) == {
        "c": "2-3",
        "d": "2-2",
        "e": "2-4",
    }
