from __future__ import annotations

import os
from pathlib import Path

import pytest

from hubbub.config.cluster import LoadConfig
from hubbub.telemetry.capacity import CPU_SPAN, Capacity, Usage, capacity, read

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
CORES = len(os.sched_getaffinity(0))


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def of(tmp_path: Path, files: dict[str, str], config: LoadConfig | None = None) -> Capacity:
    put(tmp_path, files)
    return capacity(config or LoadConfig(), groups=tmp_path / "groups", process=tmp_path / "process")


def test_without_control_groups_it_is_the_machine(tmp_path: Path) -> None:
    assert of(tmp_path, {}) == Capacity(MACHINE, CORES)


def test_a_control_group_of_version_2_and_those_around_it(tmp_path: Path) -> None:
    files = {
        "process/cgroup": "0::/pods/one\n",
        "groups/pods/memory.max": "500000000\n",
        "groups/pods/one/memory.max": "max\n",
        "groups/pods/one/cpu.max": "50000 100000\n",
        "groups/pods/cpu.max": "max 100000\n",
    }
    assert of(tmp_path, files) == Capacity(500_000_000, 0.5)


def test_a_container_whose_own_group_is_the_root_that_it_sees(tmp_path: Path) -> None:
    files = {
        "process/cgroup": "0::/\n",
        "groups/memory.max": "600000000\n",
        "groups/cpu.max": "150000 100000\n",
    }
    assert of(tmp_path, files) == Capacity(600_000_000, min(1.5, CORES))


def test_control_groups_of_version_1(tmp_path: Path) -> None:
    files = {
        "process/cgroup": "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n",
        "groups/memory/docker/abc/memory.limit_in_bytes": "300000000\n",
        "groups/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "groups/cpu/docker/abc/cpu.cfs_quota_us": "25000\n",
        "groups/cpu/docker/abc/cpu.cfs_period_us": "100000\n",
        "groups/cpu/cpu.cfs_quota_us": "-1\n",
        "groups/cpu/cpu.cfs_period_us": "100000\n",
    }
    assert of(tmp_path, files) == Capacity(300_000_000, 0.25)


@pytest.mark.parametrize("text", ["", "nonsense", "4:memory", "0::../../..\n", ":::::"])
def test_what_cannot_be_read_is_passed_over(text: str, tmp_path: Path) -> None:
    assert of(tmp_path, {"process/cgroup": text, "groups/memory.max": "none"}) == Capacity(MACHINE, CORES)


def test_settings_come_first(tmp_path: Path) -> None:
    config = LoadConfig(memory_bytes=1_000, cpu_cores=0.25)
    assert of(tmp_path, {"groups/memory.max": "600"}, config) == Capacity(1_000, 0.25)


def test_the_real_machine_has_something() -> None:
    found = capacity(LoadConfig())
    assert 0 < found.memory <= MACHINE
    assert 0 < found.cores <= CORES


def test_what_is_not_there_reads_as_nothing(tmp_path: Path) -> None:
    assert read(tmp_path / "nothing") == ""
    assert read(tmp_path) == ""


class Clocks:
    """A process that uses as much as a test says."""

    def __init__(self) -> None:
        self.now = self.loop = self.process = 0.0

    def usage(self, cores: float) -> Usage:
        return Usage(
            Capacity(1, cores), now=lambda: self.now, loop=lambda: self.loop, process=lambda: self.process
        )

    def run(self, seconds: float, loop: float, others: float = 0.0) -> None:
        self.now += seconds
        self.loop += seconds * loop
        self.process += seconds * (loop + others)


@pytest.mark.parametrize(
    ("cores", "loop", "others", "share"),
    [
        (4.0, 0.9, 0.0, 0.9),  # the loop has one core, however many there are
        (4.0, 0.5, 3.0, 0.875),  # threads have them all
        (0.5, 0.25, 0.0, 0.5),
        (1.0, 0.3, 0.3, 0.6),
        (2.0, 0.0, 0.0, 0.0),
    ],
)
def test_the_share_of_the_processor(cores: float, loop: float, others: float, share: float) -> None:
    clocks = Clocks()
    usage = clocks.usage(cores)
    for _ in range(20):
        clocks.run(CPU_SPAN / 2, loop, others)
        found = usage.cpu()
    assert found == pytest.approx(share, abs=0.01)


def test_a_burst_of_ten_seconds_is_not_yet_critical() -> None:
    clocks = Clocks()
    usage = clocks.usage(1.0)
    for _ in range(10):
        clocks.run(1.0, 1.0)
        found = usage.cpu()
    assert 0.5 < found < 0.7


def test_two_looks_in_one_moment_are_one() -> None:
    clocks = Clocks()
    usage = clocks.usage(1.0)
    clocks.run(1.0, 1.0)
    first = usage.cpu()
    clocks.loop = clocks.process = 1_000.0
    assert usage.cpu() == first


def test_the_memory_of_this_process() -> None:
    assert 10_000_000 < Usage(Capacity(1, 1.0)).memory() < MACHINE
