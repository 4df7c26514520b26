"""The budgets of the web app: how they are judged; and a short run in Chromium, which judges only what is counted."""

from __future__ import annotations

import json
import subprocess

import pytest
from bench.web.__main__ import FULL, QUICK, QUICK_SIZE
from bench.web.budgets import BUDGETS, Budget, Figures, Verdict, judged, table
from bench.web.rig import SCRIPT, demo, measure, prepare

HOLDING: Figures = {
    name: {each.figure: each.limit for each in BUDGETS if each.measure == name} for name in FULL
}


def test_every_measure_has_budgets_and_counts() -> None:
    assert {each.measure for each in BUDGETS} == set(FULL) == set(QUICK)
    assert len({(each.measure, each.figure) for each in BUDGETS}) == len(BUDGETS)
    assert {each.measure for each in BUDGETS if each.counted} >= {"loads", "scrolling", "sending", "hour"}


def test_a_budget_holds_at_its_limit_and_not_beyond() -> None:
    assert all(it.holds for it in judged(HOLDING))
    for budget in BUDGETS:
        above = {**HOLDING, budget.measure: {**HOLDING[budget.measure], budget.figure: budget.limit + 0.01}}
        assert [it.budget for it in judged(above) if not it.holds] == [budget]


def test_what_was_not_measured_is_not_judged_and_what_is_missing_is_no_success() -> None:
    assert {it.budget.measure for it in judged({"chromium": {}, "drops": HOLDING["drops"]})} == {"drops"}
    with pytest.raises(KeyError):
        judged({"drops": {}})


def test_lists_count_as_many_as_they_have() -> None:
    found = {**HOLDING, "sending": {**HOLDING["sending"], "faults": ["one", "two"]}}
    [missed] = [it for it in judged(found, counted_only=True) if not it.holds]
    assert (missed.budget.figure, missed.value) == ("faults", 2)


def test_a_short_run_does_not_judge_times() -> None:
    assert all(it.budget.counted for it in judged(HOLDING, counted_only=True))


def test_the_table_says_what_is_exceeded() -> None:
    budget = Budget("loads", "x", "a title", 1_500.0)
    rows = table([Verdict(budget, 1_500.0), Verdict(budget, 1_501.0)]).splitlines()[2:]
    assert rows[0] == "| loads | a title | 1,500 | ≤ 1,500 | held |"
    assert rows[1].endswith("**exceeded** |")


def test_growth_is_the_median_of_all_slopes() -> None:
    said = subprocess.run(
        ["node", "--input-type=module"],
        input=f"""import {{ steepness }} from {json.dumps((SCRIPT.parent / "slopes.mjs").as_uri())};
        console.log(steepness([[0, 5], [10, 25], [20, 45], [30, 999], [40, 85]]), steepness([[0, 7], [10, 7]]))""",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.split() == ["2", "0"], "one odd reading does not move it"


@pytest.mark.browser
def test_a_short_run() -> None:
    """Bytes, elements, listeners and what is in the console hold their budgets, whatever the machine does besides."""
    prepare()
    with demo(*QUICK_SIZE) as url:
        found = measure(url, QUICK, seconds=100)
    exceeded = [it for it in judged(found, counted_only=True) if not it.holds]
    assert not exceeded, (exceeded, found)
    assert found["loads"]["initial_br_bytes"] > 10_000, "something was fetched"
    assert found["scrolling"]["passed"] >= QUICK["scrolling"]["length"]
    assert found["sending"]["sent"] == QUICK["sending"]["messages"]
    assert found["drops"]["drops"] == 2 * QUICK["drops"]["times"]
    readings = found["hour"]["readings"]
    assert len(readings) == 1 + QUICK["hour"]["rounds"] // QUICK["hour"]["lap"]
    assert all(each["listeners"] > 0 and each["heap"] > 0 for each in readings)
