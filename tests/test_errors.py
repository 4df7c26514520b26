from __future__ import annotations

import pytest

from hubbub import errors
from hubbub.errors import DISCONNECTS, ERRORS, Disconnect, ErrorCode, HubbubError, ProtocolError


def test_every_code_has_a_row_and_a_name_of_its_own() -> None:
    assert set(ERRORS) == set(ErrorCode)
    assert [info.name for info in ERRORS.values()] == [code.name.lower() for code in ERRORS]
    assert len({row.name for row in DISCONNECTS.values()}) == len(DISCONNECTS)
    assert {name.lower() for name in vars(errors) if isinstance(getattr(errors, name), Disconnect)} == {
        row.name for row in DISCONNECTS.values()
    }


@pytest.mark.parametrize("code", ErrorCode)
def test_a_row_says_what_to_do(code: ErrorCode) -> None:
    info = ERRORS[code]
    assert 400 <= info.status < 600
    assert info.text
    assert info.advice.endswith((".", "`"))
    if info.temporary:
        assert info.status in (429, 500, 503, 504, 507), "a status that clients and proxies know to retry"


@pytest.mark.parametrize("row", DISCONNECTS.values(), ids=lambda row: row.name)
def test_the_number_says_whether_to_come_back(row: Disconnect) -> None:
    assert 1000 <= row.code <= 1015 or 3000 <= row.code < 4000
    assert row.advice
    assert row.reconnect is (3000 <= row.code < 3500 or row in (errors.GOING_AWAY, errors.ABNORMAL))
    assert not (row.code >= 3400 and row.resumable)


def test_the_rows_that_clients_live_by() -> None:
    resumable = (errors.DRAIN, errors.SLOW, errors.NO_PONG, errors.ABNORMAL, errors.GOING_AWAY)
    assert all(row.reconnect and row.resumable for row in resumable)
    assert (errors.EXPIRED.reconnect, errors.EXPIRED.resumable) == (True, False)
    assert not any(
        row.reconnect for row in (errors.REVOKED, errors.REPLACED, errors.NORMAL, errors.TOO_LARGE)
    )


def test_reason_knows_the_table_and_applications_own_codes() -> None:
    assert errors.reason(3000) is errors.DRAIN
    own = errors.reason(4001)
    assert (own.code, own.reconnect, own.resumable) == (4001, False, False)
    assert 4001 not in DISCONNECTS


def test_an_error_carries_what_a_transport_needs() -> None:
    error = HubbubError(ErrorCode.RATE_LIMITED, retry_after=1.5)
    assert (error.message, error.retry_after, error.field) == ("too many commands", 1.5, None)
    assert error.info is ERRORS[ErrorCode.RATE_LIMITED]
    assert str(error) == "too many commands (rate_limited, 116)"
    named = HubbubError(ErrorCode.VALIDATION_FAILED, "must be positive", field="data.price")
    assert (str(named), named.field) == ("must be positive (validation_failed, 109)", "data.price")


def test_a_protocol_error_keeps_the_commands_before_it() -> None:
    error = ProtocolError("bad frame", commands=("first",))
    assert (error.code, error.commands) == (ErrorCode.BAD_REQUEST, ("first",))
