"""Names that a service answers to: what a Host header may have."""

import pytest

from kvs_graphql.web.hosts import Hosts

LOOPBACK = ["localhost", "LOCALHOST:80", "localhost.", "kvs.localhost:1", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000"]
FOREIGN = [
    "evil.example",
    "localhost.evil.example",
    "10.0.0.1:8000",
    "0.0.0.0",  # noqa: S104 - a name, and nothing is bound to it
    "[::]",
    "notlocalhost",
    "127.0.0.1.nip.io",
]
MALFORMED = [
    "",
    ":80",
    "local host",
    "localhost:x",
    "a@localhost",
    "localhost/x",
    "localhost?",
    "[::1",
    "\xff",
    "localhost#",
]


@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback_names_are_always_allowed(host: str) -> None:
    for hosts in (Hosts((), "127.0.0.1"), Hosts(("kvs.example.com",), "10.1.2.3")):
        assert hosts.allows(host.encode())


@pytest.mark.parametrize("host", [*FOREIGN, *MALFORMED])
def test_nothing_but_loopback_names_is_allowed_on_loopback_by_default(host: str) -> None:
    for listening in ("127.0.0.1", "::1", "localhost"):
        assert not Hosts((), listening).allows(host.encode("latin-1"))


@pytest.mark.parametrize("host", ["kvs.example.com", "KVS.Example.com:443", "a.b.example.org", "10.1.2.3:8000"])
def test_given_names_and_the_address_that_is_listened_on_are_allowed(host: str) -> None:
    assert Hosts(("KVS.example.com", "*.example.org"), "10.1.2.3").allows(host.encode())


@pytest.mark.parametrize(
    "host", ["example.com", "example.org", "xexample.org", "kvs.example.com.evil.example", *MALFORMED]
)
def test_other_names_are_not_allowed_beside_given_ones(host: str) -> None:
    assert not Hosts(("kvs.example.com", "*.example.org"), "0.0.0.0").allows(host.encode("latin-1"))  # noqa: S104


@pytest.mark.parametrize(
    "host", [b"kvs.example.com", b"KVS:8000", b"kvs_1.internal", b"10.1.2.3:8000", b"[2001:db8::1]"]
)
def test_any_name_is_allowed_for_an_asterisk_and_by_default_where_others_can_connect(host: bytes) -> None:
    assert Hosts(("*",), "127.0.0.1").allows(host)
    assert Hosts((), "0.0.0.0").allows(host)  # noqa: S104
    assert not Hosts((), "127.0.0.1").allows(host)
