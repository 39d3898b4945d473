"""Only principals that see the same share work."""

from kvs_graphql.access import ANYONE, Access


def test_principals_that_see_different_things_have_different_fingerprints() -> None:
    assert Access("ann", "what ann sees").fingerprint != Access("bob", "what bob sees").fingerprint


def test_principals_that_see_everything_share_whoever_they_are_and_when_their_tokens_expire() -> None:
    assert Access("ann", expires_at=1.0).fingerprint == Access("bob").fingerprint == ANYONE.fingerprint
