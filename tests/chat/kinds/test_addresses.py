"""Whatever a browser would make something else of is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.chat.kinds.addresses import LONGEST, address
from hubbub.errors import ErrorCode, HubbubError

FINE = [
    "https://example.org",
    "http://example.org/",
    "HTTPS://EXAMPLE.ORG/A?b=c&d=%20#e",
    "https://example.org:8443/a/../b;c=d?q=javascript:alert(1)",
    "https://user.example.org/@ada",
    "https://de.wikipedia.org/wiki/Käse",
    "https://bücher.example/",
    "https://[2001:db8::1]:8080/",
    "https://192.0.2.1/",
    "https://example.org/(a)'b'~!*",
    "https://example.org/" + "a" * (LONGEST - 20),
]
REFUSED = [
    "",
    " ",
    "https",
    "https:",
    "https://",
    "https:///",
    "https:///example.org",
    "https:example.org",
    "https:/example.org",
    "https:\\\\example.org",
    "https:/\\example.org",
    "//example.org",
    "/path",
    "example.org",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "java\tscript:alert(1)",
    "java\nscript:alert(1)",
    "java\rscript:alert(1)",
    " javascript:alert(1)",
    "\x01javascript:alert(1)",
    "\ufeffjavascript:alert(1)",
    "&#106;avascript:alert(1)",
    "javascript&colon;alert(1)",
    "javascript&#58;alert(1)",
    "javascript%3Aalert(1)",
    "javascript://example.org/%0aalert(1)",
    "vbscript:msgbox(1)",
    "data:text/html,<script>alert(1)</script>",
    "DATA:text/html;base64,PHNjcmlwdD4=",
    "blob:https://example.org/1",
    "file:///etc/passwd",
    "ftp://example.org/",
    "about:blank",
    "view-source:https://example.org",
    "ws://example.org",
    "https://exa\tmple.org/",
    "ht\ntps://example.org/",
    "https://example.org/\n",
    "https://example.org/a b",
    "https://example.org/\x00",
    "https://example.org/\x7f",
    "https://example.org/\x85",
    "https://example.org/\xa0",
    "https://example.org/\u200b",
    "https://example.org/\u202egpj.exe",
    "https://example.org/\u2066",
    "https://example.org/\ud800",
    "https://example.org/\U000e0041",
    'https://example.org/"onerror=alert(1)',
    "https://example.org/<script>",
    "https://example.org/`",
    "https://example.org\\@evil.example/",
    "https://example.org\\.evil.example/",
    "https://example.org@evil.example/",
    "https://user:secret@example.org/",
    "https://@example.org/",
    "https://example.org\uff0f.evil.example/",
    "https://example.org\uff20evil.example/",
    "https://\u2460.example/",
    "https://ex\u00adample.org/",
    "https://example.org:99999/",
    "https://example.org:0/",
    "https://example.org:a/",
    "https://:80/",
    "https://[::1/",
    "https://[evil]/",
    "https://?a",
    "https://#a",
    "https://example.org/" + "a" * LONGEST,
]


@pytest.mark.parametrize("value", FINE, ids=range(len(FINE)))
def test_addresses_stay_as_they_are(value: str) -> None:
    assert address(value, "url") == value


@pytest.mark.parametrize("value", REFUSED, ids=range(len(REFUSED)))
def test_what_is_none_is_refused(value: str) -> None:
    with pytest.raises(HubbubError) as failure:
        address(value, "parts[0].url")
    assert (failure.value.code, failure.value.field) == (ErrorCode.VALIDATION_FAILED, "parts[0].url")


@given(st.text(max_size=40), st.sampled_from(["", "https://", "javascript:", "https://a.example/", "http:"]))
def test_nothing_gets_through_but_http(rest: str, begin: str) -> None:
    try:
        found = address(begin + rest, "url")
    except HubbubError:
        return
    assert found.lower().startswith(("https://", "http://"))
    assert not any(each.isspace() or ord(each) < 33 or each in '<>"`\\' for each in found)
