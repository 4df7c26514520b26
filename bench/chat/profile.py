"""Where a server's time goes, by py-spy: stacks into a file, and the functions at the top of them as a list."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

TOP = 40
RATE = 250
BESIDE = Path(sys.executable).with_name("py-spy")


@contextlib.contextmanager
def profiled(pid: int, seconds: float, delay: float, folder: Path | None, name: str) -> Iterator[None]:
    """Sample the process for `seconds`, `delay` seconds after the block begins; without a `folder` nothing is done.

    It costs the server some of its time: figures of such a run are not to be quoted.
    """
    if folder is None:
        yield
        return
    program = str(BESIDE) if BESIDE.exists() else shutil.which("py-spy")
    if program is None:
        raise SystemExit("--profile needs py-spy: pip install py-spy")
    folder.mkdir(parents=True, exist_ok=True)
    stacks = folder / f"{name}.stacks"
    command = [
        *(program, "record", "--pid", str(pid), "--rate", str(RATE), "--format", "raw", "--threads"),
        *("--nonblocking", "--duration", str(max(1, round(delay + seconds))), "--output", str(stacks)),
    ]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.wait()
    if stacks.exists():
        text = summary(stacks.read_text(encoding="utf-8"))
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
        print(text, file=sys.stderr)


def summary(stacks: str) -> str:
    """Of stacks as `a;b;c 12`: the functions in which, and under which, most samples were taken, in per cent."""
    own: Counter[str] = Counter()
    below: Counter[str] = Counter()
    total = 0
    for line in stacks.splitlines():
        stack, _, samples = line.rpartition(" ")
        frames = [frame.rpartition(":")[0] or frame for frame in stack.split(";")]
        if not frames or not samples.isdigit():
            continue
        total += int(samples)
        own[frames[-1]] += int(samples)
        for frame in set(frames):
            below[frame] += int(samples)
    lines = [f"{total} samples", "", " self  with what it calls"]
    for frame, count in own.most_common(TOP):
        lines.append(f"{count / total:5.1%}  {below[frame] / total:5.1%}  {frame}")
    lines += ["", "with what it calls"]
    for frame, count in below.most_common(TOP):
        lines.append(f"{count / total:5.1%}  {frame}")
    return "\n".join(lines) + "\n"
