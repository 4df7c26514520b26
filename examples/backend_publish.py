"""Publish from any backend by REST, with nothing but the standard library: safe to repeat, in batches, to a user.

HUBBUB_URL=http://127.0.0.1:8000 HUBBUB_API_KEY=hubbub_... python backend_publish.py
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
import uuid
from typing import Any

URL = os.environ.get("HUBBUB_URL", "http://127.0.0.1:8000")
API_KEY = os.environ["HUBBUB_API_KEY"]


def post(path: str, body: dict[str, Any], *, attempts: int = 5) -> Any:
    """One request, repeated while that may help. The key makes a repeat harmless: it is published once."""
    key = str(uuid.uuid4())
    for attempt in range(attempts):
        request = urllib.request.Request(
            URL + path,
            json.dumps(body).encode(),
            {
                "Authorization": f"Bearer {API_KEY}",
                "Content-Type": "application/json",
                "Idempotency-Key": key,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            refusal = json.load(error)
            if not refusal["temporary"] or attempt == attempts - 1:
                raise RuntimeError(f"{refusal['message']} ({refusal['name']})") from error
        except OSError:  # no answer: it may have been published all the same
            if attempt == attempts - 1:
                raise
        time.sleep(0.2 * 2**attempt)
    raise AssertionError("unreachable")


def main() -> None:
    one = post("/v1/publish", {"channel": "orders:eu", "event": "order.updated", "data": {"id": "7"}})
    print("published at", one["position"]["offset"])
    items = [{"channel": "orders:eu", "data": {"id": str(n)}} for n in range(3)]
    outcomes = post("/v1/publish/batch", {"items": items})["outcomes"]
    print("batch:", [each["published"]["position"]["offset"] for each in outcomes])
    told = post("/v1/users/ada/publish", {"event": "notice", "data": {"text": "Your order is paid."}})
    print("sessions of ada:", told["sessions"])


if __name__ == "__main__":
    main()
