"""From the configuration and a principal's claims to its grants. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from kvs_graphql.access import Grant, Grants, Verb

EVERYBODY = "*"
ANONYMOUS = "anonymous"

_PLACE = re.compile(r"\{([^{}]+)\}(.)", re.DOTALL)
"""The name of a claim, and the separator behind it."""
_CLAIM_CHARACTERS_MAX = 1_024


@dataclass(frozen=True, slots=True)
class GrantRule:
    """Who may do what with which keys of which tables."""

    to: tuple[str, ...]
    """`token:NAME`, `sub:SUBJECT`, `group:NAME`, `*` for all who are known, or `anonymous`."""
    verbs: tuple[Verb, ...]
    tables: tuple[str, ...]
    prefixes: tuple[str, ...]
    """Of keys, with `{claim}` for the value of a claim; empty for all keys."""


class Granting:
    """The rules of a service. Without any, all who may ask may do everything."""

    def __init__(self, rules: Sequence[GrantRule], groups_claim: str | None = None) -> None:
        """`groups_claim` names the claim with a principal's groups."""
        self._rules = rules
        self._groups_claim = groups_claim
        self._made: WeakValueDictionary[Grants, Grants] = WeakValueDictionary()
        """One object for all principals with equal grants: comparing them then costs nothing."""

    def of_anonymous(self) -> Grants | None:
        """The grants of clients without a token."""
        return self._grants({ANONYMOUS}, {})

    def of_token(self, name: str) -> Grants | None:
        """The grants of the holder of a static token."""
        return self._grants({EVERYBODY, f"token:{name}"}, {"sub": name})

    def of_claims(self, claims: Mapping[str, Any]) -> Grants | None:
        """The grants of the holder of a JWT."""
        names = {EVERYBODY}
        if isinstance(subject := claims.get("sub"), str):
            names.add(f"sub:{subject}")
        groups = claims.get(self._groups_claim) if self._groups_claim else None
        if isinstance(groups, str):
            # As OAuth has `scope`.
            groups = groups.split()
        if isinstance(groups, list):
            names.update(f"group:{group}" for group in groups if isinstance(group, str))
        return self._grants(names, claims)

    def _grants(self, names: set[str], claims: Mapping[str, Any]) -> Grants | None:
        if not self._rules:
            return None
        grants = Grants(
            frozenset(
                Grant(verb, table, prefix)
                for rule in self._rules
                if not names.isdisjoint(rule.to)
                for prefix in _prefixes(rule.prefixes, claims)
                for verb in rule.verbs
                for table in rule.tables
            )
        )
        return self._made.setdefault(grants, grants)


def _prefixes(templates: Iterable[str], claims: Mapping[str, Any]) -> Iterable[bytes]:
    """The prefixes that templates stand for; those of claims that are not there are left out."""
    if not templates:
        return [b""]
    filled = (_filled(template, claims) for template in templates)
    return [prefix.encode() for prefix in filled if prefix is not None]


def _filled(template: str, claims: Mapping[str, Any]) -> str | None:
    """A template with its claims; None where one is missing, empty or too long, is no text, or has the separator.

    With the separator in it, a claim could name what belongs to somebody else.
    """
    parts, at = [], 0
    for place in _PLACE.finditer(template):
        value, separator = claims.get(place[1]), place[2]
        if not isinstance(value, str) or not 0 < len(value) <= _CLAIM_CHARACTERS_MAX or separator in value:
            return None
        if not value.isprintable():
            return None
        parts += [template[at : place.start()], value, separator]
        at = place.end()
    return "".join([*parts, template[at:]])
