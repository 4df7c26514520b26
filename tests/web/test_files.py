from __future__ import annotations

import gzip
from pathlib import Path

from hubbub.web.files import file_of, read_static


def test_files_are_read_with_their_twins(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.css").write_bytes(b"css")
    (tmp_path / "a" / "one.css.br").write_bytes(b"small")
    (tmp_path / "notes.md").write_bytes(b"not for browsers")
    found = read_static(tmp_path)
    assert set(found) == {"a/one.css"}
    file = found["a/one.css"]
    assert file.content_type == "text/css; charset=utf-8"
    assert {coding: body.data for coding, body in file.bodies.items()} == {"br": b"small", "identity": b"css"}
    assert len({body.etag for body in file.bodies.values()}) == 2
    assert [*file.bodies][-1] == "identity"


def test_what_is_not_there_is_not_built(tmp_path: Path) -> None:
    assert read_static(tmp_path / "nowhere") == {}


def test_long_texts_are_compressed_and_short_ones_are_not() -> None:
    long = file_of("text/html", b"<p>" * 1000)
    assert gzip.decompress(long.bodies["gzip"].data) == b"<p>" * 1000
    assert set(file_of("text/html", b"<p>").bodies) == {"identity"}
    assert long.bodies["gzip"].data[4:8] == bytes(4), (
        "no time in it: all nodes answer alike, with one validator"
    )
