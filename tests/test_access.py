"""Who may share work with whom."""

from kvs_graphql.access import ANYONE, Access


def test_principals_that_differ_never_share_work() -> None:
    assert Access("ann").fingerprint != Access("bob").fingerprint


def test_the_same_principal_shares_its_work_with_itself() -> None:
    assert Access("ann").fingerprint == Access("ann").fingerprint
    assert Access("anyone") == ANYONE
