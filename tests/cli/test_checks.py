from __future__ import annotations

import datetime
import math
import secrets
import socket
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import trustme

from hubbub.cli import checks
from hubbub.cli.checks import storage
from hubbub.cli.credentials import development_keys
from hubbub.config import Config

NOW = 1_800_000_000.0


def config(**sections: Any) -> Config:
    return Config(**sections)


@pytest.mark.parametrize(
    ("version", "verdict"), [((3, 10), "fail"), ((3, 11), "ok"), ((3, 14), "ok"), ((4, 0), "ok")]
)
def test_python(version: tuple[int, int], verdict: str) -> None:
    assert checks.python(version).verdict == verdict


def test_event_loop() -> None:
    assert checks.event_loop(lambda _: object()).verdict == "ok"
    found = checks.event_loop(lambda _: None)
    assert (found.verdict, found.advice[:18]) == ("warn", "pip install uvloop")


@pytest.mark.parametrize(
    ("secret", "verdict"),
    [
        ("BKofaABLgKA23Sir7lSyv_hPib-vBAKnkLY5cr-Oe_Q", "ok"),
        ("23e92973518d33cb505d9ebade0bc48861f01ee1772756e63bcd80722486949a", "ok"),
        ("a" * 64, "fail"),
        ("secret" * 4, "fail"),
        ("changeme" * 5, "warn"),
        ("short", "fail"),
    ],
)
def test_secrets(secret: str, verdict: str) -> None:
    assert checks.secret(config(auth={"hmac_secret": secret})).verdict == verdict


def test_no_secret() -> None:
    assert checks.secret(config(auth={"jwks_url": "https://idp/keys"})).verdict == "ok"
    assert checks.secret(config()).verdict == "warn"
    development_keys()
    assert checks.secret(config()).verdict == "ok"


def test_settings() -> None:
    good = {"hmac_secret": secrets.token_hex(32)}
    assert [f.verdict for f in checks.settings(config(auth=good))] == ["ok"]
    assert [f.verdict for f in checks.settings(config())] == ["warn"]
    (fault,) = checks.settings(config(auth=good, server={"trusted_proxies": ["nonsense"]}))
    assert (fault.verdict, "nonsense" in fault.text) == ("fail", True)


@pytest.mark.parametrize(("days", "verdict"), [(-1, "fail"), (5, "warn"), (60, "ok")])
def test_certificates_expire(days: int, verdict: str, tmp_path: Path) -> None:
    until = datetime.datetime.now() + datetime.timedelta(days=days)
    pair = trustme.CA().issue_cert("localhost", not_after=until)
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(pair.cert_chain_pems[0].bytes())
    key.write_bytes(pair.private_key_pem.bytes())
    tls = config(server={"tls_certificate": chain, "tls_key": key})
    (found,) = checks.certificate(tls, time.time())
    assert found.verdict == verdict


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    ca = trustme.CA()
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(ca.issue_cert("a.test").cert_chain_pems[0].bytes())
    key.write_bytes(ca.issue_cert("b.test").private_key_pem.bytes())
    (found,) = checks.certificate(config(server={"tls_certificate": chain, "tls_key": key}), NOW)
    assert found.verdict == "fail"
    chain.write_text("nonsense")
    (found,) = checks.certificate(config(server={"tls_certificate": chain, "tls_key": key}), NOW)
    assert found.verdict == "fail"


def test_no_tls_no_finding() -> None:
    assert list(checks.certificate(config(), NOW)) == []


def test_descriptors() -> None:
    thousand = config(limits={"connections": 1000, "reserved_descriptors": 64})
    assert checks.descriptors(thousand, (20_000, 20_000)).verdict == "ok"
    assert checks.descriptors(thousand, (math.inf, math.inf)).verdict == "ok"
    assert checks.descriptors(thousand, None).verdict == "ok"
    low = checks.descriptors(thousand, (1024, 4096))
    assert (low.verdict, "ulimit -n 1192" in low.advice) == ("warn", True)
    assert "LimitNOFILE=1192" in checks.descriptors(thousand, (1024, 1024)).advice


def test_backlog(tmp_path: Path) -> None:
    source = tmp_path / "somaxconn"
    assert checks.backlog(config(), source).verdict == "ok"
    source.write_text("128\n")
    assert checks.backlog(config(), source).verdict == "warn"
    source.write_text("4096\n")
    assert checks.backlog(config(), source).verdict == "ok"


@pytest.mark.parametrize(
    ("skew", "verdict"), [(0, "ok"), (1, "ok"), (-10, "warn"), (10, "warn"), (60, "fail"), (-60, "fail")]
)
def test_clocks(skew: float, verdict: str) -> None:
    (found,) = checks.clock(formatdate(NOW + skew, usegmt=True), NOW + 0.5, leeway=30)
    assert found.verdict == verdict


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_no_date_no_finding(date: str | None) -> None:
    assert list(checks.clock(date, NOW, 30)) == []


def test_a_free_port() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (found,) = checks.server(config(server={"port": port}), None)
    assert (found.verdict, str(port) in found.text) == ("ok", True)
    (found,) = checks.server(config(), f"http://127.0.0.1:{port}")
    assert found.verdict == "fail"


def test_a_port_that_is_taken_by_something_silent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        (found,) = checks.server(config(server={"port": taken.getsockname()[1]}), None)
    assert (found.verdict, "cannot be used" in found.text) == ("fail", True)


def stored(url: str) -> Config:
    return Config(chat={"enabled": True}, storage={"url": url})


def test_a_database_that_will_be_made(tmp_path: Path) -> None:
    finding = storage(stored(f"sqlite:///{tmp_path / 'chat.db'}"))
    assert (finding.verdict, finding.subject) == ("ok", "storage")
    assert "will be made" in finding.text
    assert not (tmp_path / "chat.db").exists()


def test_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "chat.db").write_bytes(b"not a database at all" * 100)
    assert storage(stored(f"sqlite:///{tmp_path / 'chat.db'}")).verdict == "fail"
    assert storage(stored(f"sqlite:///{tmp_path / 'nowhere' / 'chat.db'}")).verdict == "fail"
    assert storage(stored("postgresql://nobody@127.0.0.1:1/none")).verdict == "fail"


def test_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "FREE_WARNING", 1 << 62)
    assert storage(stored(f"sqlite:///{tmp_path / 'chat.db'}")).verdict == "warn"


def test_a_postgresql_that_is_migrated_and_one_that_is_not(
    postgres_url: str, empty_postgres_url: str
) -> None:
    assert storage(stored(postgres_url)).verdict == "ok"
    assert "hubbub migrate" in storage(stored(empty_postgres_url)).advice
