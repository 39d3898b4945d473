"""Names and addresses that always mean this machine."""

import pytest

from kvs_graphql.loopback import is_loopback


@pytest.mark.parametrize(
    "name", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1", "LOCALHOST", "a.localhost"]
)
def test_loopback_is_recognised_in_every_form(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize("name", ["", "::", "0.0.0.0", "10.0.0.1", "localhost.example", "xlocalhost"])  # noqa: S104
def test_nothing_else_is_loopback(name: str) -> None:
    assert not is_loopback(name)
