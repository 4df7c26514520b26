from __future__ import annotations

import pytest

from hubbub.egress.addresses import networks, parse, public

PUBLIC = (
    *("1.1.1.1", "8.8.8.8", "93.184.215.14", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0"),
    *("11.0.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "192.167.255.255", "198.17.255.255"),
    *("198.20.0.0", "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::200e", "2620:0:860:ed1a::1"),
    *("::ffff:8.8.8.8", "64:ff9b::808:808"),
)
PRIVATE = (
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1"),
    *("127.255.255.254", "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192"),
    *("192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1"),
    *("203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "100.100.100.200"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *(
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "fe80::1",
        "fec0::1",
    ),
    *(
        "fc00::1",
        "fd00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001::1",
        "2001:0:7f00:1::",
        "2001:db8::1",
        "2002:7f00:1::",
    ),
    *("2002:a00:1::1", "2002:808:808::1", "3ffe::1", "3fff::1", "5f00::1", "4000::1", "::ffff:0:127.0.0.1"),
    *("2606:4700::5efe:7f00:1", "2606:4700::200:5efe:10.0.0.1"),
)


@pytest.mark.parametrize("text", PUBLIC)
def test_what_is_public(text: str) -> None:
    assert public(parse(text))


@pytest.mark.parametrize("text", PRIVATE)
def test_what_is_not(text: str) -> None:
    assert not public(parse(text))


def test_some_networks_may_be_allowed() -> None:
    allowed = networks(("10.1.0.0/16", "fd12::/16"))
    for text in ("10.1.0.1", "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd12::1", "8.8.8.8"):
        assert public(parse(text), allowed), text
    for text in ("10.2.0.1", "::ffff:10.2.2.3", "64:ff9b::a02:203", "fd13::1", "127.0.0.1"):
        assert not public(parse(text), allowed), text


@pytest.mark.parametrize(
    "text", ["fe80::1%eth0", "2606:4700::1%1", "1.2.3", "0177.0.0.1", "", "localhost", "1.2.3.4 "]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|link"):
        parse(text)


def test_networks_are_checked() -> None:
    with pytest.raises(ValueError, match="host bits"):
        networks(("10.1.0.1/16",))
