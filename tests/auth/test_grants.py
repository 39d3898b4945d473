"""From rules and claims to grants."""

from typing import Any

import pytest

from kvs_graphql.access import Grant, Grants, Verb
from kvs_graphql.auth import Granting, GrantRule

OWN = GrantRule(("*",), (Verb.READ,), ("orders",), ("tenant/{sub}/",))


def prefixes(granted: Grants | None) -> tuple[bytes, ...]:
    assert granted is not None
    return granted.prefixes(Verb.READ, "orders")


def test_without_rules_all_may_do_everything() -> None:
    granting = Granting(())
    assert granting.of_anonymous() is granting.of_token("ann") is granting.of_claims({"sub": "ann"}) is None


def test_rules_are_for_those_whom_they_name() -> None:
    rules = [
        GrantRule((to,), (Verb.READ,), ("orders",), (f"{number}/",))
        for number, to in enumerate(["*", "anonymous", "token:ann", "sub:ann", "group:ann", "token:bob"])
    ]
    granting = Granting(rules, "groups")
    assert prefixes(granting.of_anonymous()) == (b"1/",)
    assert prefixes(granting.of_token("ann")) == (b"0/", b"2/")
    assert prefixes(granting.of_claims({"sub": "ann"})) == (b"0/", b"3/")
    assert prefixes(granting.of_claims({"sub": "x", "groups": ["ann", 1, None]})) == (b"0/", b"4/")
    assert prefixes(granting.of_claims({"groups": "ann other"})) == (b"0/", b"4/")
    assert prefixes(granting.of_claims({"sub": "token:bob", "groups": {"ann": 1}})) == (b"0/",)
    assert prefixes(Granting(rules).of_claims({"groups": ["ann"]})) == (b"0/",)


def test_principals_with_equal_grants_have_the_same_object() -> None:
    granting = Granting([GrantRule(("*",), (Verb.READ,), ("orders",), ("reports/",))])
    assert granting.of_token("ann") is granting.of_claims({"sub": "bob"}) is not None


def test_rule_grants_each_verb_on_each_table() -> None:
    rule = GrantRule(("*",), (Verb.READ, Verb.WRITE), ("orders", "customers"), ())
    assert Granting([rule]).of_token("ann") == Grants(
        frozenset(Grant(verb, table) for verb in (Verb.READ, Verb.WRITE) for table in ("orders", "customers"))
    )


@pytest.mark.parametrize("subject", ["ann", "ann@example.com", "42", "ünï", "{sub}", "a b"])
def test_claim_fills_its_place(subject: str) -> None:
    assert prefixes(Granting([OWN]).of_claims({"sub": subject})) == (f"tenant/{subject}/".encode(),)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"sub": ""},
        {"sub": None},
        {"sub": 42},
        {"sub": ["ann"]},
        {"sub": "x" * 2_000},
        {"sub": "a\nb"},
        {"sub": "\0"},
    ],
    ids=lambda claims: str(claims)[:30],
)
def test_claim_that_is_missing_empty_or_no_text_grants_nothing(claims: dict[str, Any]) -> None:
    assert prefixes(Granting([OWN]).of_claims(claims)) == ()


@pytest.mark.parametrize("subject", ["/", "ann/", "/ann", "ann/bob", "../ann", "ann/../bob"])
def test_claim_with_the_separator_in_it_grants_nothing(subject: str) -> None:
    assert prefixes(Granting([OWN]).of_claims({"sub": subject})) == ()


def test_each_place_has_its_own_separator() -> None:
    rule = GrantRule(("*",), (Verb.READ,), ("orders",), ("{org}:{sub}/x/",))
    granting = Granting([rule])
    assert prefixes(granting.of_claims({"org": "a/b", "sub": "c:d"})) == (b"a/b:c:d/x/",)
    for claims in ({"org": "a:b", "sub": "c"}, {"org": "a", "sub": "c/d"}, {"org": "a"}):
        assert prefixes(granting.of_claims(claims)) == ()
