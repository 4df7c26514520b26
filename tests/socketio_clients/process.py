"""The application as a program: `python -m tests.socketio_clients.process '{"port": 0}'`. It says its port first."""

from __future__ import annotations

import json
import sys

from tests.socketio_clients.app import make

from hubbub.transports.server import listen


def main() -> None:
    options = json.loads(sys.argv[1])
    sock = listen("127.0.0.1", options.pop("port"), 128)
    make(**options).run(ready=lambda _, port: print(json.dumps({"port": port}), flush=True), sock=sock)


if __name__ == "__main__":
    main()
