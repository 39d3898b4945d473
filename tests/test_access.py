"""What principals may do, and who shares work."""

import pytest

from kvs_graphql.access import ANYONE, Access, Grant, Grants, Verb, outermost, within


def grants(*all_grants: Grant) -> Grants:
    return Grants(frozenset(all_grants))


def test_principals_that_may_do_the_same_share_whoever_they_are_and_when_their_tokens_expire() -> None:
    assert Access("ann", expires_at=1.0).fingerprint == Access("bob").fingerprint == ANYONE.fingerprint
    one, other = (grants(Grant(Verb.READ, "orders", b"a/"), Grant(Verb.STATUS)) for _ in range(2))
    assert Access("ann", one).fingerprint == Access("bob", other).fingerprint
    assert hash(Access("ann", one).fingerprint) == hash(Access("bob", other).fingerprint)


def test_principals_that_may_do_different_things_share_nothing() -> None:
    some = [
        None,
        grants(),
        grants(Grant(Verb.READ)),
        grants(Grant(Verb.WRITE)),
        grants(Grant(Verb.READ, "orders")),
        grants(Grant(Verb.READ, prefix=b"a/")),
        grants(Grant(Verb.READ, prefix=b"b/")),
    ]
    assert len({Access("ann", one).fingerprint for one in some}) == len(some)


@pytest.mark.parametrize("verb", Verb)
def test_grant_is_for_its_verb_table_and_prefix(verb: Verb) -> None:
    granted = grants(Grant(verb, "orders", b"a/"), Grant(verb, "orders", b"a/b/"), Grant(verb, "*", b"z/"))
    assert granted.prefixes(verb, "orders") == (b"a/", b"z/")
    assert granted.prefixes(verb, "others") == (b"z/",)
    for other in set(Verb) - {verb}:
        assert granted.prefixes(other, "orders") == ()
        assert not granted.allow(other, "orders")
    assert grants(Grant(verb)).prefixes(verb, "any") == (b"",)


@pytest.mark.parametrize(
    ("prefixes", "expected"),
    [
        ([], ()),
        ([b"b", b"a"], (b"a", b"b")),
        ([b"a", b"ab", b"abc", b"b"], (b"a", b"b")),
        ([b"", b"a"], (b"",)),
        ([b"a\xff", b"a", b"a\x00"], (b"a",)),
    ],
)
def test_no_prefix_is_within_another(prefixes: list[bytes], expected: tuple[bytes, ...]) -> None:
    assert outermost(prefixes) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(b"", (b"a/", b"b/")), (b"a", (b"a/",)), (b"a/", (b"a/",)), (b"a/x", (b"a/x",)), (b"c", ()), (b"ab", ())],
)
def test_prefix_that_is_asked_for_is_narrowed_to_what_is_granted(asked: bytes, expected: tuple[bytes, ...]) -> None:
    assert within((b"a/", b"b/"), asked) == expected
    assert within((), asked) == ()
    assert within((b"",), asked) == (asked,)
