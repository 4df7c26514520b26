"""`python -m hubbub.loadgen` is `hubbub bench`."""

from hubbub.loadgen.cli import bench_app

if __name__ == "__main__":
    bench_app(prog_name="hubbub bench")
