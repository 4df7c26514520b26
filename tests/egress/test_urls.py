from __future__ import annotations

import pytest

from hubbub.egress import urls
from hubbub.errors import ErrorCode, HubbubError

READ = {
    "http://example.com": "http://example.com/",
    "HTTPS://EXAMPLE.com:443/a": "https://example.com/a",
    "http://example.com:8080?x=1#y": "http://example.com:8080/?x=1",
    "http://example.com./a b".replace(" ", "%20"): "http://example.com/a%20b",
    "http://example.com//evil.com/": "http://example.com//evil.com/",
    "http://bücher.example/ä?ö=1#ü": "http://xn--bcher-kva.example/%C3%A4?%C3%B6=1",
    "http://a_b.example/": "http://a_b.example/",
    "http://93.184.215.14/": "http://93.184.215.14/",
    "http://[2606:4700::1111]:80/x": "http://[2606:4700::1111]/x",
    "http://example.com/?u=http://a@b/": "http://example.com/?u=http://a@b/",
    'http://example.com/"<x>': "http://example.com/%22%3Cx%3E",
    "http://127.0.0.1#@ok.com": "http://127.0.0.1/",
}
REFUSED = (
    *("", "example.com", "//example.com/", "http:example.com", "http:/example.com", "http:///example.com", "http://"),
    *("file:///etc/passwd", "gopher://a.example/", "dict://a.example:11211/", "ftp://a.example/", "ws://a.example/"),
    *("javascript:alert(1)", "data:text/html,x", "jar:http://a.example!/", "httpss://a.example/", "http+unix://a/"),
    *("http://2130706433/", "http://0x7f.1/", "http://0x7f000001/", "http://0177.0.0.1/", "http://127.1/", "http://1/"),
    *("http://127.0.0.01/", "http://256.1.1.1/", "http://1.1.1.1.1/", "http://a.0x/", "http://a.1/", "http://0x/"),
    *("http://a@127.0.0.1/", "http://a:b@example.com/", "http://@example.com/", "http://ok.com@evil.example/"),
    *("http://ok.com＃@evil.example/", "http://ok.com／evil.example/", "http://ok.com＠evil.example/", "http://ok｡com/"),
    *("http://①②⑦.⓪.⓪.①/", "http://faß.example/", "http://a\u200cb.example/", "http://ⓔxample.com/", "http://\u212a.example/"),
    *("http://ok.com\\@evil.example/", "http:\\\\evil.example/", "http://ok.com/\\evil", "http://a.example\t/"),
    *("http://a.example/\r\nHost: evil", "http://a.example /", " http://a.example/", "http://a.example/\x00", "http://\xa0a/"),
    *("http://a..example/", "http://.example/", "http://-a.example/", "http://a%2eexample/", "http://127.0.0.1%2f/"),
    *("http://[::1", "http://::1/", "http://[::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[v1.a]/", "http://[1.2.3.4]/"),
    *("http://[::ffff:127.0.0.1].example/", "http://a.example:0/", "http://a.example:65536/", "http://a.example:8O/"),
    *("http://a.example:80:80/", "http://a.example:-80/", "http://a.example:٨٠/", f"http://{'a' * 64}.example/"),
    *(f"http://{'a.' * 127}example/", f"http://a.example/{'a' * 2_048}", f"http://a.example/{'é' * 800}"),
)  # fmt: skip


@pytest.mark.parametrize("url", READ)
def test_what_is_read(url: str) -> None:
    assert str(urls.read(url)) == READ[url]


@pytest.mark.parametrize("url", REFUSED)
def test_what_is_refused(url: str) -> None:
    with pytest.raises(HubbubError) as failure:
        urls.read(url)
    assert failure.value.code == ErrorCode.EGRESS_REFUSED


def test_what_is_sent_is_one_line_of_ascii() -> None:
    target = urls.read("http://bücher.example/ä \u2028".replace(" ", ""))
    assert (target.path + target.authority).isascii()
    assert not set(target.path + target.authority) & set(" \r\n\t")
    assert target.authority == "xn--bcher-kva.example"
    assert urls.read("https://a.example:80/").authority == "a.example:80"


@pytest.mark.parametrize(
    ("location", "where"),
    [
        ("/b", "http://a.example/b"),
        ("b?c#d", "http://a.example/x/b?c"),
        ("//b.example/c", "http://b.example/c"),
        ("https://b.example", "https://b.example/"),
        ("http://127.0.0.1/", "http://127.0.0.1/"),
        ("?q", "http://a.example/x/y?q"),
    ],
)
def test_where_redirects_lead(location: str, where: str) -> None:
    assert str(urls.follow(urls.read("http://a.example/x/y"), location)) == where


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "\\\\b.example",
        "//b@c.example/",
        "http://[/",
        "a\nb",
        "gopher:x",
        "x" * 3_000,
    ],
)
def test_where_they_may_not(location: str) -> None:
    with pytest.raises(HubbubError) as failure:
        urls.follow(urls.read("http://a.example/x/y"), location)
    assert failure.value.code == ErrorCode.EGRESS_REFUSED


def test_names_of_hosts() -> None:
    names = ("Example.com", "*.bad.example.")
    for host in ("example.com", "bad.example", "a.bad.example", "a.b.bad.example"):
        assert urls.among(host, names), host
    for host in ("www.example.com", "notbad.example", "example.org"):
        assert not urls.among(host, names), host
