"""Only principals that see the same share work."""

from kvs_graphql.access import ANYONE, Access


def test_different_principals_have_different_fingerprints() -> None:
    assert Access("ann").fingerprint != Access("bob").fingerprint


def test_equal_principals_have_equal_fingerprints() -> None:
    assert Access("ann").fingerprint == Access("ann").fingerprint
    assert Access("anyone") == ANYONE
