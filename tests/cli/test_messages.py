from __future__ import annotations

import json

import pytest
from tests.cli.conftest import Command
from tests.cli.stub import Answer, stub

from hubbub.cli.credentials import development_keys

PUBLISHED = Answer(body=b'{"id": "m1", "position": {"epoch": "e", "offset": 3}}')


def test_publish(hubbub: Command) -> None:
    with stub(PUBLISHED) as (url, asked):
        outcome = hubbub(
            *("publish", "lobby", '{"a": [1]}', "--event", "said", "--key", "k1"),
            "--url",
            url,
            "--api-key",
            "hubbub_k",
        )
    assert outcome == (0, '{"id": "m1", "position": {"epoch": "e", "offset": 3}}\n', "")
    assert asked[0].path == "/v1/publish"
    assert asked[0].headers["Authorization"] == "Bearer hubbub_k"
    assert json.loads(asked[0].body) == {"channel": "lobby", "event": "said", "data": {"a": [1]}, "key": "k1"}


@pytest.mark.parametrize(
    ("arguments", "data"),
    [
        (["12"], 12),
        (["hello world"], "hello world"),
        (['"quoted"'], "quoted"),
        (["null"], None),
        (["12", "--text"], "12"),
        (["NaN"], "NaN"),
        (["grüße"], "grüße"),
        ([""], ""),
    ],
)
def test_data_is_json_or_else_a_text(arguments: list[str], data: object, hubbub: Command) -> None:
    with stub(PUBLISHED) as (url, asked):
        hubbub("publish", "lobby", *arguments, "--url", url, "--api-key", "k")
    assert json.loads(asked[0].body)["data"] == data


@pytest.mark.parametrize("data", ['{"a": 1', "[1,", '"x', "{'a': 1}", '{"a": NaN}', "x\udc9b"])
def test_what_looks_like_json_and_is_not_is_no_text(data: str, hubbub: Command) -> None:
    with stub(PUBLISHED) as (url, asked):
        outcome = hubbub("publish", "lobby", data, "--url", url, "--api-key", "k")
    assert (outcome.status, outcome.out, asked) == (2, "", [])
    assert "DATA is not" in outcome.err


def test_lines_of_standard_input_in_order(hubbub: Command) -> None:
    with stub(PUBLISHED) as (url, asked):
        outcome = hubbub(
            "publish", "lobby", "-", "--url", url, "--api-key", "k", stdin='{"n": 1}\n\nhello\r\n3'
        )
    assert [json.loads(each.body)["data"] for each in asked] == [{"n": 1}, "hello", 3]
    assert len(outcome.out.splitlines()) == 3


def test_the_key_is_the_environments_or_that_of_dev(hubbub: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with stub(PUBLISHED) as (url, asked):
        outcome = hubbub("publish", "lobby", "1", "--url", url)
        assert outcome.status == 2
        assert "there is no API key" in outcome.err
        key = development_keys()[0].api_key
        hubbub("publish", "lobby", "1", "--url", url)
        monkeypatch.setenv("HUBBUB_API_KEY", "hubbub_env")
        monkeypatch.setenv("HUBBUB_URL", url)
        hubbub("publish", "lobby", "1")
    assert [each.headers["Authorization"] for each in asked] == [f"Bearer {key}", "Bearer hubbub_env"]


def test_one_key_is_not_for_many_lines(hubbub: Command) -> None:
    outcome = hubbub("publish", "lobby", "-", "--key", "k", "--api-key", "k")
    assert (outcome.status, len(outcome.err.splitlines())) == (2, 2)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--since", "5"], "--since 5: not EPOCH:OFFSET"),
        (["--since", "e:x"], "--since e:x: not EPOCH:OFFSET"),
        (["--url", "ftp://x"], "is not the address of a server"),
    ],
)
def test_what_tail_cannot_do(arguments: list[str], what: str, hubbub: Command) -> None:
    outcome = hubbub("tail", "lobby", "--token", "t", *arguments)
    assert outcome.status == 2
    assert what in outcome.err


def test_tail_without_a_token(hubbub: Command) -> None:
    outcome = hubbub("tail", "lobby")
    assert outcome.status == 2
    assert "there is no token" in outcome.err


def test_tail_without_a_server(hubbub: Command) -> None:
    with stub(PUBLISHED) as (url, _):
        pass
    outcome = hubbub("tail", "lobby", "--token", "t", "--url", url)
    assert outcome.status == 2
    assert "connection refused" in outcome.err
    assert "Traceback" not in outcome.err
