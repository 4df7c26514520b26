from __future__ import annotations

import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from hubbub.broker import envelopes
from hubbub.broker.envelopes import CARRIED, FLEETING, LOGGED, UnreadableError
from hubbub.model import Envelope, Join, Leave, Member, Publication

ORIGIN = b"origin-1"
TEXTS = st.text(max_size=12)
RAWS = st.binary(max_size=60).map(Raw)
TIMES = st.floats(allow_nan=False)
PUBLICATIONS = st.builds(
    Publication,
    TEXTS,
    TEXTS,
    RAWS,
    TEXTS,
    st.none() | TEXTS,
    TIMES,
    st.none(),
    st.none(),
    st.none() | TEXTS,
    st.lists(st.binary(max_size=40), max_size=3).map(tuple),
    st.booleans(),
)
MEMBERS = st.builds(Member, TEXTS, TEXTS, st.just(UNSET) | RAWS)
NAMES = st.lists(TEXTS, max_size=3).map(tuple)
PUSHES = PUBLICATIONS | st.builds(Join, TEXTS, MEMBERS) | st.builds(Leave, TEXTS, MEMBERS)
ENVELOPES = st.builds(Envelope, PUSHES, st.none() | TEXTS, TIMES, NAMES, st.booleans(), NAMES)
SAID = Envelope(Publication("a", "message", Raw(b'{"a" : 1}'), "id"))


def frame(envelope: Envelope, kind: int = FLEETING, number: int = 0, epoch: str = "") -> bytes:
    stamp = envelopes.stamp(kind, ORIGIN, envelope.accepted)
    return stamp + envelopes.place(number, epoch) + envelopes.body_of(envelope)


def same(one: Envelope, other: Envelope) -> bool:
    """Equal to the last bit: `==` holds 0.0 and -0.0 alike."""
    return one == other and floats(one) == floats(other)


def floats(envelope: Envelope) -> bytes:
    time = envelope.push.time if isinstance(envelope.push, Publication) else 0.0
    return struct.pack("dd", envelope.accepted, time)


def reason(raw: bytes) -> str | None:
    """Why `raw` cannot be read; None if it can."""
    try:
        envelopes.read_envelope(raw, envelopes.read_header(raw))
    except UnreadableError as error:
        return error.reason
    return None


@given(ENVELOPES, st.integers(0, 2**64 - 1))
def test_everything_survives_the_way(sent: Envelope, serial: int) -> None:
    raw = frame(sent, FLEETING, serial)
    header = envelopes.read_header(raw)
    assert (header.kind, header.origin, header.number, header.epoch) == (FLEETING, ORIGIN, serial, "")
    assert struct.pack("d", header.accepted) == struct.pack("d", sent.accepted)
    assert same(envelopes.read_envelope(raw, header, header.accepted), sent)
    assert envelopes.read_envelope(raw, header).accepted == 0.0


@given(
    ENVELOPES.filter(lambda envelope: isinstance(envelope.push, Publication)),
    st.sampled_from([LOGGED, CARRIED]),
    st.integers(1, 2**63),
    st.text(max_size=60),
)
def test_a_place_survives_the_way(sent: Envelope, kind: int, offset: int, epoch: str) -> None:
    raw = frame(sent, kind, offset, epoch)
    header = envelopes.read_header(raw)
    heard = envelopes.read_envelope(raw, header)
    assert header.kind == kind
    placed = msgspec.structs.replace(sent.push, epoch=epoch, offset=offset)
    assert same(heard, msgspec.structs.replace(sent, push=placed, accepted=0.0))
    assert envelopes.read_place(envelopes.place(offset, epoch) + b"rest") == (
        offset,
        epoch,
        len(raw) - 18 - len(envelopes.body_of(sent)),
    )


@given(PUBLICATIONS, TEXTS, st.integers(1, 2**63))
def test_a_log_gives_back_what_it_was_given(push: Publication, epoch: str, offset: int) -> None:
    kept = envelopes.body_of(Envelope(push))
    found = envelopes.read_publication(kept, epoch, offset)
    assert same(Envelope(found), Envelope(msgspec.structs.replace(push, epoch=epoch, offset=offset)))


@given(ENVELOPES)
def test_a_frame_of_no_origin_can_be_read(sent: Envelope) -> None:
    raw = envelopes.frame_of(sent)
    header = envelopes.read_header(raw)
    assert header.kind == FLEETING
    assert header.origin == bytes(8)
    assert same(envelopes.read_envelope(raw, header, sent.accepted), sent)


def test_a_frame_of_no_origin_has_the_place_that_the_publication_has() -> None:
    placed = Envelope(msgspec.structs.replace(SAID.push, epoch="e", offset=7))
    raw = envelopes.frame_of(placed)
    header = envelopes.read_header(raw)
    assert header.kind == CARRIED
    assert envelopes.read_envelope(raw, header) == placed


def test_an_id_is_given_where_there_is_none() -> None:
    nameless = Envelope(Publication("a", "message", Raw(b"1")))
    assert envelopes.read_publication(envelopes.body_of(nameless, "made"), "e", 1).id == "made"
    assert envelopes.read_publication(envelopes.body_of(SAID, "made"), "e", 1).id == "id"


def test_what_was_received_does_not_hold_the_frame() -> None:
    """Or else one small publication would keep the buffer that it came in."""
    raw = frame(SAID)
    heard = envelopes.read_envelope(raw, envelopes.read_header(raw))
    assert isinstance(heard.push, Publication)
    assert memoryview(heard.push.data).nbytes == len(b'{"a" : 1}')
    assert memoryview(heard.push.data).obj is not raw


@given(st.binary(max_size=80))
def test_whatever_bytes_come_are_read_or_refused(raw: bytes) -> None:
    for attempt in (raw, b"\x01" + raw, frame(SAID)[:27] + raw):
        assert reason(attempt) in (None, "version", "malformed")


@given(st.data())
def test_whatever_is_changed_or_cut_is_read_or_refused(data: st.DataObject) -> None:
    raw = bytearray(frame(data.draw(ENVELOPES), LOGGED, 7, "epoch"))
    at = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw[at] = data.draw(st.integers(0, 255))
    else:
        del raw[at:]
    assert reason(bytes(raw)) in (None, "version", "malformed")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        pytest.param(b"", "malformed", id="nothing"),
        pytest.param(b"\x02", "version", id="a newer header, however it looks"),
        pytest.param(b"\x02" + frame(SAID)[1:], "version", id="a newer frame"),
        pytest.param(b"\x00" + frame(SAID)[1:], "malformed", id="no version"),
        pytest.param(b"\x01\x03" + frame(SAID)[2:], "malformed", id="an unknown kind"),
        pytest.param(frame(SAID)[:27], "malformed", id="no body"),
        pytest.param(frame(SAID)[:27] + b"\x02" + frame(SAID)[28:], "version", id="a newer body"),
        pytest.param(frame(SAID)[:-1], "malformed", id="cut short"),
        pytest.param(frame(SAID) + b"\x00", "malformed", id="too long"),
        pytest.param(
            frame(SAID, LOGGED, 1, "é")[:-1].replace("é".encode(), b"\xff\xff"), "malformed", id="epoch"
        ),
        pytest.param(frame(SAID)[:28] + b"\x92\x07\x00", "malformed", id="an unknown push"),
    ],
)
def test_what_cannot_be_read_says_why(raw: bytes, why: str) -> None:
    assert reason(raw) == why


def test_fields_that_a_later_version_adds_are_passed_over() -> None:
    raw = envelopes.body_of(SAID)
    longer = msgspec.msgpack.decode(raw[1:])
    longer.append({"later": True})
    found = envelopes.read_publication(raw[:1] + msgspec.msgpack.encode(longer), "e", 1)
    assert found == msgspec.structs.replace(SAID.push, epoch="e", offset=1)


def test_fields_that_an_earlier_version_did_not_have_are_as_if_not_set() -> None:
    raw = envelopes.body_of(SAID)
    shorter = msgspec.msgpack.decode(raw[1:])[:9]
    found = envelopes.read_publication(raw[:1] + msgspec.msgpack.encode(shorter), "e", 1)
    assert found == msgspec.structs.replace(SAID.push, epoch="e", offset=1)


def test_only_publications_are_in_logs() -> None:
    with pytest.raises(UnreadableError):
        envelopes.read_publication(envelopes.body_of(Envelope(Join("a", Member("s", "u")))), "e", 1)


def test_an_epoch_is_short() -> None:
    assert envelopes.read_place(envelopes.place(1, "e" * 255))[1] == "e" * 255
    with pytest.raises(ValueError, match="255"):
        envelopes.place(1, "e" * 256)
