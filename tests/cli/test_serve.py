from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Command

from hubbub.cli.output import Problem
from hubbub.cli.serve import load_application

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def _imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test imports from its directory is forgotten after it."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield
    sys.modules.pop("shop", None)


def test_without_a_secret_it_refuses(hubbub: Command) -> None:
    outcome = hubbub("serve", "--port", "0")
    assert (outcome.status, outcome.out) == (2, "")
    what, advice = outcome.err.splitlines()
    assert what == "error: auth.hmac_secret is not set, so no token could be verified."
    for word in ("hubbub token --new-secret", "HUBBUB_AUTH__HMAC_SECRET", "hubbub serve --dev"):
        assert word in advice


def test_development_is_for_loopback_only(hubbub: Command) -> None:
    outcome = hubbub("serve", "--dev", "--host", "0.0.0.0", "--port", "0")
    assert (outcome.status, outcome.out) == (2, "")
    assert "may only listen on loopback" in outcome.err


def test_a_port_in_use(hubbub: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_AUTH__HMAC_SECRET", SECRET)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        outcome = hubbub("serve", "--port", str(port))
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.splitlines() == [
        f"error: 127.0.0.1:{port} is in use by another program.",
        " next: stop that one, or choose another port: --port 8001, or --port 0 for any free one.",
    ]


@pytest.mark.parametrize(
    ("host", "what"),
    [("192.0.2.1", "is not an address of this machine"), ("no.such.host.invalid", "is not an address")],
)
def test_an_address_that_is_not_ours(
    host: str, what: str, hubbub: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBBUB_AUTH__HMAC_SECRET", SECRET)
    outcome = hubbub("serve", "--host", host, "--port", "0")
    assert outcome.status == 2
    assert what in outcome.err


@pytest.mark.parametrize(
    ("text", "name", "what", "advice"),
    [
        (None, "nowhere:app", "there is no module nowhere here", "run this where nowhere.py is"),
        (None, "no.where:app", "there is no module no here", "run this where no.py is"),
        (None, "shop.py:app", "shop.py:app is a file", "say shop:app"),
        (
            "import nonsense_package",
            "shop:app",
            "imports nonsense_package, which is not installed",
            "pip install",
        ),
        ("x = 1 / 0", "shop:app", "ZeroDivisionError: division by zero (shop.py, line 1)", "HUBBUB_DEBUG=1"),
        ("def f(:", "shop:app", "shop cannot be imported: SyntaxError", "HUBBUB_DEBUG=1"),
        ("x = 1", "shop:app", "there is no app in shop", "app = Hubbub()"),
        ("app = 1", "shop:app", "app is a int, not a Hubbub, in shop", "app = Hubbub()"),
        ("from hubbub import Hubbub\nhub = Hubbub()", "shop", "there is no app in shop", "it has shop:hub"),
    ],
)
def test_applications_that_cannot_be_had(
    text: str | None, name: str, what: str, advice: str, directory: Path
) -> None:
    if text is not None:
        (directory / "shop.py").write_text(text)
    with pytest.raises(Problem) as problem:
        load_application(name)
    assert what in problem.value.what
    assert advice in problem.value.advice


def test_an_application_is_found_in_the_working_directory(directory: Path) -> None:
    (directory / "shop.py").write_text(
        "from hubbub import Hubbub\nclass inner:\n  hub = Hubbub()\napp = inner.hub"
    )
    assert load_application("shop:inner.hub") is load_application("shop:app") is load_application("shop")


def test_flags_do_not_reach_an_application_with_its_own_config(directory: Path, hubbub: Command) -> None:
    (directory / "shop.py").write_text(
        "from hubbub import Hubbub\nfrom hubbub.config import Config\napp = Hubbub(Config())"
    )
    outcome = hubbub("serve", "shop:app", "--dev", "--port", "0")
    assert outcome.status == 2
    assert "brings its own Config" in outcome.err


def test_a_wrong_assignment(hubbub: Command) -> None:
    outcome = hubbub("serve", "--set", "port=1")
    assert (outcome.status, len(outcome.err.splitlines())) == (2, 2)
