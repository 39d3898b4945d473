"""Which client is counted: a header can name only those that a trusted proxy has seen."""

import pytest

from kvs_graphql.web.clients import ClientAddresses

PROXY, INNER_PROXY = "10.0.0.1", "10.0.0.2"
TRUSTED = ClientAddresses(("10.0.0.0/24", "::1"))


@pytest.mark.parametrize(
    ("forwarded_for", "client"),
    [
        ([], PROXY),
        (["192.0.2.1"], "192.0.2.1"),
        (["198.51.100.1, 192.0.2.1"], "192.0.2.1"),
        (["198.51.100.1", "192.0.2.1"], "192.0.2.1"),
        (["192.0.2.1, " + INNER_PROXY], "192.0.2.1"),
        (["invented, 192.0.2.1"], "192.0.2.1"),
        (["192.0.2.1, invented"], PROXY),
        (["192.0.2.1, invented, " + INNER_PROXY], INNER_PROXY),
        (["192.0.2.1:4711"], "192.0.2.1"),
        ([""], PROXY),
        ([" , "], PROXY),
        (["192.0.2.1" + "1" * 10_000], PROXY),
        (["192.0.2.1," + ",".join([INNER_PROXY] * 1_000)], INNER_PROXY),
        (["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        (["2001:db8:1:2:ffff::1%invented"], "2001:db8:1:2::/64"),
        (["[2001:db8:1:2:7::]:4711"], "2001:db8:1:2::/64"),
        (["::ffff:192.0.2.1"], "192.0.2.1"),
    ],
)
def test_client_is_the_last_address_that_no_trusted_proxy_has(forwarded_for: list[str], client: str) -> None:
    assert TRUSTED.client(PROXY, forwarded_for) == client


@pytest.mark.parametrize(
    ("peer", "client"),
    [("192.0.2.9", "192.0.2.9"), ("2001:db8::9", "2001:db8::/64"), ("::ffff:192.0.2.9", "192.0.2.9"), ("", "")],
)
def test_header_of_an_untrusted_peer_is_not_read(peer: str, client: str) -> None:
    assert not TRUSTED.trusts(peer)
    assert TRUSTED.client(peer, ["198.51.100.1"]) == client


def test_every_peer_may_be_trusted_but_only_for_the_address_that_it_adds() -> None:
    addresses = ClientAddresses(("*",))
    assert addresses.trusts("192.0.2.9")
    assert addresses.client("192.0.2.9", ["198.51.100.1, 198.51.100.2"]) == "198.51.100.2"


def test_mapped_address_of_a_proxy_is_trusted() -> None:
    assert TRUSTED.trusts("::ffff:10.0.0.1")
