"""Requests that pages of other origins make a browser send."""

from urllib.parse import urlencode

import pytest
from starlette.types import Scope

from kvs_graphql.web.origins import Origins

HOST, OWN, LISTED, OTHER = (
    "kvs.example:8000",
    "http://kvs.example:8000",
    "https://pages.example",
    "https://evil.example",
)

ALLOWED: list[dict[str, str]] = [
    {},
    {"origin": OWN},
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"sec-fetch-site": "cross-site", "origin": LISTED},
    {"sec-fetch-site": "cross-site", "apollo-require-preflight": "1"},
    {"sec-fetch-site": "cross-site", "authorization": "Bearer token"},
    {"origin": OTHER, "authorization": "bEARER token"},
    {"origin": LISTED},
]
REFUSED = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": OTHER},
    {"sec-fetch-site": "cross-site", "origin": OWN},
    {"sec-fetch-site": "nonsense"},
    {"sec-fetch-site": ""},
    # Browsers add these by themselves, for whichever page asks.
    {"sec-fetch-site": "cross-site", "authorization": "Basic YW5uOnNlY3JldA=="},
    {"sec-fetch-site": "cross-site", "authorization": "Negotiate token"},
    {"origin": OTHER, "authorization": 'Digest username="ann"'},
    {"sec-fetch-site": "cross-site", "authorization": ""},
    {"origin": OTHER},
    {"origin": "null"},
    {"origin": ""},
]


def scope_of(headers: dict[str, str]) -> Scope:
    return {"headers": [(name.encode(), value.encode()) for name, value in {"host": HOST, **headers}.items()]}


@pytest.mark.parametrize("headers", ALLOWED, ids=urlencode)
def test_get_of_no_page_of_an_own_page_and_of_a_listed_origin_is_allowed(headers: dict[str, str]) -> None:
    assert Origins((LISTED,)).allow_get(scope_of(headers))


@pytest.mark.parametrize("headers", REFUSED, ids=urlencode)
def test_get_of_another_origins_page_is_refused_unless_any_may_ask(headers: dict[str, str]) -> None:
    assert not Origins((LISTED,)).allow_get(scope_of(headers))
    assert Origins(("*",)).allow_get(scope_of(headers))
