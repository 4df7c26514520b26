"""Section 5.9 of the reliability reference, against servers that are there: what is asked for, and what is not."""

from __future__ import annotations

import asyncio
import gzip
import os
import ssl
import zlib
from collections.abc import AsyncIterator

import pytest
import trustme
from tests.egress.strangers import PUBLIC, Internet, endless, internet, raw, redirects, says, server
from tests.waiting import until

from hubbub.config import PreviewsConfig
from hubbub.egress.fetch import PER_HOST, Egress, Fetched
from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio
HTML = ("text/html",)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


@pytest.fixture
async def net() -> AsyncIterator[Internet]:
    async with internet() as found:
        yield found


async def refusal(egress: Egress, url: str, most: int = 1_000, *, whole: bool = False) -> HubbubError:
    with pytest.raises(HubbubError) as failure:
        await egress.fetch(url, HTML, most, whole=whole)
    assert "127." not in failure.value.message, "who asks learns nothing of what is inside"
    return failure.value


async def test_a_page_is_fetched(net: Internet) -> None:
    net.host("a.example", says(b"<p>", 'Text/HTML; Charset="UTF-8"'))
    found = await net.egress(user_agent="Us/1\r\nX: y").fetch("http://a.example/b?c#d", HTML, 1_000)
    assert found == Fetched("http://a.example/b?c", "text/html", "utf-8", b"<p>", False)
    lines = net.requests[0].decode().split("\r\n")
    assert lines[0] == "GET /b?c HTTP/1.1"
    assert set(lines[1:-2]) == {
        "Host: a.example",
        "User-Agent: Us/1X: y",
        "Accept: text/html",
        "Accept-Encoding: gzip",
        "Connection: close",
    }, "and nothing else of ours"
    await until(lambda: not net.open)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "0.0.0.0",
            "10.0.0.5",
            "169.254.169.254",
            "192.168.0.1",
            "100.64.0.1",
            "::1",
            "::",
            "fd00::1",
        ),
        *(
            "fe80::1%eth0",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:0:7f00:1::",
            "nonsense",
        ),
    ],
)
async def test_names_of_private_addresses(net: Internet, address: str) -> None:
    net.host("a.example", says(b"secret"), address)
    assert (await refusal(net.egress(), "http://a.example/")).code == ErrorCode.EGRESS_REFUSED
    net.host("a.example", says(b"secret"), PUBLIC, address)
    assert (await refusal(net.egress(), "http://a.example/")).code == ErrorCode.EGRESS_REFUSED
    assert net.dialled == []


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://127.0.0.1",
            "http://0.0.0.0",
            "http://[::]",
            "http://[::ffff:127.0.0.1]",
            "http://2130706433",
        ),
        *(
            "http://0x7f.1",
            "http://0177.0.0.1",
            "http://169.254.169.254",
            "http://[fd00::1]",
            "http://[64:ff9b::7f00:1]",
        ),
        *(
            "http://a@127.0.0.1",
            "http://127.0.0.1#@ok.com",
            "http://ok.com＃@evil",
            "file:///etc/passwd",
            "gopher://a/",
        ),
        *(
            "dict://a/",
            "http://a.example:6379",
            "http://a.example:5432",
            "http://a.example:22",
            "http://denied.example",
        ),
        *("http://below.denied.example", "http://DENIED.example."),
    ],
)
async def test_what_is_refused_at_sight(net: Internet, url: str) -> None:
    net.host("a.example", says(b"secret"))
    egress = net.egress(denied_hosts=["*.denied.example"])
    assert (await refusal(egress, url)).code == ErrorCode.EGRESS_REFUSED
    assert (net.asked, net.dialled) == ([], [])


async def test_localhost_by_the_real_resolver() -> None:
    egress = Egress(PreviewsConfig())
    for url in ("http://localhost/", "http://localhost./", "http://LOCALHOST/"):
        await refusal(egress, url)
    egress.stop()


async def test_answers_of_dns_that_change(net: Internet) -> None:
    net.host("a.example", says(b"public"))
    net.names["a.example"] = [(PUBLIC,), ("127.0.0.1",)]
    egress = net.egress()
    assert (await egress.fetch("http://a.example/", HTML, 10)).body == b"public"
    assert net.asked == ["a.example"], "once for each request"
    assert net.dialled == [PUBLIC]
    await refusal(egress, "http://a.example/")
    net.names["a.example"] = [(PUBLIC,), ("127.0.0.1",)]
    net.answers["a.example"] = redirects("/again")
    await refusal(egress, "http://a.example/")
    assert net.dialled == [PUBLIC, PUBLIC]


@pytest.mark.parametrize(
    "location",
    [
        *(
            "http://127.0.0.1/",
            "http://[::1]/",
            "//169.254.169.254/latest/meta-data/",
            "http://inside.example/",
        ),
        *(
            "http://a.example:6379/",
            "file:///etc/passwd",
            "gopher://127.0.0.1:6379/_x",
            "http://u@b.example/",
        ),
        *("http://0x7f.1/", "http://denied.example/", "", "\\\\b.example", "http://b.example\\@127.0.0.1/"),
    ],
)
async def test_redirects_to_where_nobody_may(net: Internet, location: str) -> None:
    net.host("a.example", redirects(location))
    net.host("inside.example", says(b"secret"), "10.0.0.1")
    net.host("denied.example", says(b"denied"))
    await refusal(net.egress(denied_hosts=["denied.example"]), "http://a.example/")
    assert set(net.dialled) == {PUBLIC}
    assert set(net.paths) == {"/"}


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
)
async def test_redirects_are_followed(net: Internet, status: str) -> None:
    net.host("a.example", redirects("http://b.example/c", status))
    net.host("b.example", says(b"there"), "8.8.8.8")
    found = await net.egress().fetch("http://a.example/", HTML, 10)
    assert (found.url, found.body) == ("http://b.example/c", b"there")
    assert net.dialled == [PUBLIC, "8.8.8.8"]


async def test_not_for_ever(net: Internet) -> None:
    net.host("a.example", redirects("/x"))
    await refusal(net.egress(redirects=3), "http://a.example/")
    assert len(net.paths) == 4
    await refusal(net.egress(redirects=0), "http://a.example/")
    assert len(net.paths) == 5


async def test_a_body_without_end(net: Internet) -> None:
    sent = [0]
    net.host("a.example", endless(OK + b"\r\n", b"x" * 10_000, sent))
    found = await net.egress().fetch("http://a.example/", HTML, 100_000)
    assert (len(found.body), found.cut) == (100_000, True)
    await refusal(net.egress(), "http://a.example/", 100_000, whole=True)
    await until(lambda: not net.open)


async def test_a_body_in_chunks_of_a_byte(net: Internet) -> None:
    sent = [0]
    head = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    net.host("a.example", endless(head, (b"1;" + b"e" * 500 + b"\r\nx\r\n") * 100, sent))
    found = await net.egress().fetch("http://a.example/", HTML, 100_000)
    assert found.cut
    assert 0 < len(found.body) < 1_000


async def test_a_bomb(net: Internet) -> None:
    bomb = gzip.compress(bytes(300_000_000), 9)
    assert len(bomb) < 400_000
    net.host("a.example", says(bomb, "text/html", "Content-Encoding: gzip"))
    found = await net.egress().fetch("http://a.example/", HTML, 1_000_000)
    assert (len(found.body), found.cut) == (1_000_000, True)
    await refusal(net.egress(), "http://a.example/", 1_000_000, whole=True)


async def test_a_bomb_in_pieces_of_small_size(net: Internet) -> None:
    packed = zlib.compressobj(9, wbits=31)
    piece = packed.compress(bytes(50_000_000)) + packed.flush(zlib.Z_FULL_FLUSH)
    net.host("a.example", endless(OK + b"Content-Encoding: gzip\r\n\r\n", piece, [0]))
    found = await net.egress().fetch("http://a.example/", HTML, 5_000)
    assert (len(found.body), found.cut) == (5_000, True)


async def test_gzip(net: Internet) -> None:
    text = os.urandom(3_000).hex().encode()
    net.host("a.example", says(gzip.compress(text), "text/html", "Content-Encoding: GZIP"))
    assert (await net.egress().fetch("http://a.example/", HTML, 10_000)).body == text
    for encoding in ("br", "gzip, gzip", "deflate", "identity, gzip"):
        net.host("a.example", says(gzip.compress(text), "text/html", f"Content-Encoding: {encoding}"))
        await refusal(net.egress(), "http://a.example/")
    net.host("a.example", says(b"no gzip", "text/html", "Content-Encoding: gzip"))
    await refusal(net.egress(), "http://a.example/")


@pytest.mark.parametrize(
    ("head", "more"), [(b"", b""), (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"), (OK, b"x"), (OK + b"\r\n", b"x")]
)
async def test_a_slow_answer(net: Internet, head: bytes, more: bytes) -> None:
    net.host("a.example", endless(head, more, [0], pause=0.05))
    assert (await refusal(net.egress(timeout=0.3), "http://a.example/", 1_000_000)).code == ErrorCode.TIMEOUT
    if more:
        await until(lambda: not net.open)


async def test_redirects_share_the_time(net: Internet) -> None:
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        await redirects("/x")(reader, writer)

    net.host("a.example", slowly)
    error = await refusal(net.egress(timeout=0.5, redirects=100), "http://a.example/")
    assert error.code == ErrorCode.TIMEOUT


@pytest.mark.parametrize(
    "answer",
    [
        *(b"", b"SSH-2.0-OpenSSH_9\r\n", b"+PONG\r\n", b"HTTP/1.1", b"HTTP/1.1 200 OK\r\nContent-Type"),
        *(b"\x16\x03\x01", b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        *(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000),
        *(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 101 + b"\r\n", b"HTTP/1.1 200 OK\r\na: " + b"b" * 40_000),
        *(b"HTTP/1.1 304 Not Modified\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"),
        *(b"HTTP/1.1 500 Oh\r\n\r\n", b"HTTP/1.1 302 Found\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nx"),
        b"HTTP/1.1 200 OK\r\nContent-Type: image/svg+xml\r\n\r\n",
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)  # fmt: skip
async def test_what_is_no_answer(net: Internet, answer: bytes) -> None:
    net.host("a.example", raw(answer))
    assert (await refusal(net.egress(), "http://a.example/")).code == ErrorCode.EGRESS_REFUSED


async def test_a_type_that_was_not_asked_for_is_not_read(net: Internet) -> None:
    sent = [0]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"
    net.host("a.example", endless(head, b"x", sent, pause=0.01))
    await refusal(net.egress(), "http://a.example/")
    await until(lambda: not net.open)


async def test_a_body_that_ends_early_is_not_whole(net: Internet) -> None:
    net.host("a.example", raw(OK + b"Content-Length: 10\r\n\r\nhalf"))
    found = await net.egress().fetch("http://a.example/", HTML, 100)
    assert (found.body, found.cut) == (b"half", True)
    await refusal(net.egress(), "http://a.example/", whole=True)
    net.host("a.example", raw(OK + b"\r\nto the end"))
    assert not (await net.egress().fetch("http://a.example/", HTML, 100, whole=True)).cut


@pytest.mark.parametrize(("most", "cut"), [(10, False), (9, True)])
async def test_at_the_limit(net: Internet, most: int, cut: bool) -> None:
    for body, more in ((b"0123456789", ()), (gzip.compress(b"0123456789"), ("Content-Encoding: gzip",))):
        net.host("a.example", says(body, "text/html", *more))
        found = await net.egress().fetch("http://a.example/", HTML, most)
        assert (found.body, found.cut) == (b"0123456789"[:most], cut)


async def test_another_address_if_one_is_dead(net: Internet) -> None:
    net.host("a.example", says(b"x"), "8.8.8.8", PUBLIC)
    net.dead = {"8.8.8.8"}
    assert (await net.egress().fetch("http://a.example/", HTML, 10)).body == b"x"
    net.dead = {"8.8.8.8", PUBLIC}
    await refusal(net.egress(), "http://a.example/")
    await refusal(net.egress(), "http://nobody.example/")


async def test_what_is_allowed_for_intranets() -> None:
    async with server(says(b"wiki")) as port:
        egress = Egress(PreviewsConfig(allowed_networks=("127.0.0.0/8",), ports=(port,)))
        assert (await egress.fetch(f"http://127.0.0.1:{port}/", HTML, 10)).body == b"wiki"
        await refusal(Egress(PreviewsConfig(ports=(port,))), f"http://127.0.0.1:{port}/")


async def test_proxies_of_the_environment_are_not_asked(
    net: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    net.host("a.example", says(b"x"))
    assert (await net.egress().fetch("http://a.example/", HTML, 10)).body == b"x"


async def test_certificates_are_those_of_the_name() -> None:
    authority = trustme.CA()
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("a.example").configure_cert(served)

    async def here(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with server(says(b"safe"), served) as port:
        config = PreviewsConfig(allowed_networks=("127.0.0.0/8",), ports=(port,))
        egress = Egress(config, resolve=here, tls=trusting)
        assert (await egress.fetch(f"https://a.example:{port}/", HTML, 10)).body == b"safe"
        await refusal(egress, f"https://b.example:{port}/")
        await refusal(Egress(config, resolve=here), f"https://a.example:{port}/")


async def test_how_many_ask_at_once(net: Internet) -> None:
    free = asyncio.Event()
    busy: list[int] = []

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        busy.append(net.open)
        await free.wait()
        await says(b"x")(reader, writer)

    for number in range(6):
        net.host(f"{number}.a.example", slowly)
    egress = net.egress(concurrency=3)
    tasks = [asyncio.create_task(egress.fetch(f"http://{n}.a.example/", HTML, 10)) for n in range(6)]
    await until(lambda: net.open == 3)
    free.set()
    await asyncio.gather(*tasks)
    assert max(busy) == 3
    free.clear()
    busy.clear()
    tasks = [asyncio.create_task(egress.fetch("http://0.a.example/", HTML, 10)) for _ in range(6)]
    await until(lambda: net.open == PER_HOST)
    free.set()
    await asyncio.gather(*tasks)
    assert max(busy) == PER_HOST
    assert egress._hosts == {}


async def test_too_many_that_wait(net: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubbub.egress.fetch.WAITING", 2)
    free = asyncio.Event()

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await free.wait()
        await says(b"x")(reader, writer)

    net.host("a.example", slowly)
    egress = net.egress()
    tasks = [asyncio.create_task(egress.fetch("http://a.example/", HTML, 10)) for _ in range(2)]
    await until(lambda: net.open == 2)
    assert (await refusal(egress, "http://a.example/")).code == ErrorCode.OVERLOADED
    free.set()
    await asyncio.gather(*tasks)
    assert (await egress.fetch("http://a.example/", HTML, 10)).body == b"x"
