"""All scenarios with the TypeScript SDK."""

from __future__ import annotations

import pytest
from tests.scenarios.format import names
from tests.scenarios.world import play_patiently

pytestmark = pytest.mark.anyio


@pytest.mark.timeout(1800)  # with many seeds; two take less than half a minute
async def test_typescript(seeds: range, subtests: pytest.Subtests) -> None:
    for outcome in await play_patiently(names(), "typescript", seeds):
        with subtests.test(scenario=outcome.scenario, seed=outcome.seed):
            assert not outcome.anomalies, str(outcome)
