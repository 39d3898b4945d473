"""Limits of a request: within them it is answered, one beyond is refused with a code."""

from dataclasses import replace
from pathlib import Path

import pytest

from kvs_graphql.errors import BadInput
from kvs_graphql.records import Record
from tests.applications import LIMITS, open_application
from tests.named import id_of

ONE = replace(LIMITS, keys_per_request_max=1, key_bytes_max=1, page_entries_max=1, counted_entries_max=1)
RECORDS = [
    Record(key, value, 0, offset, None, None) for offset, (key, value) in enumerate([(b"a", b"1"), (b"b", b"2")])
]


@pytest.mark.parametrize(
    ("document", "data"),
    [
        ('{ value(key: "a") { value } }', {"value": {"value": "1"}}),
        ('{ values(keys: ["b"]) { value } }', {"values": [{"value": "2"}]}),
        ('{ entries(prefix: "b", first: 1) { edges { cursor } } }', {"entries": {"edges": [{"cursor": "Yg"}]}}),
        ('{ value(key: "a") { history(last: 1) { kind } } }', {"value": {"history": [{"kind": "SET"}]}}),
        ('{ entries(prefix: "b", first: 0) { totalCount } }', {"entries": {"totalCount": 1}}),
        ("{ entries(first: 1) { totalCount } }", {"entries": {"totalCount": None}}),
        (
            '{ a: entries(prefix: "a") { totalCount } b: entries(prefix: "b") { totalCount } }',
            {"a": {"totalCount": 1}, "b": {"totalCount": None}},
        ),
    ],
)
async def test_request_within_limits_of_one_is_answered(
    tmp_path: Path, document: str, data: object, table: str
) -> None:
    async with open_application(tmp_path, RECORDS, limits=ONE, name=table) as application:
        assert (await application.query(document))["data"] == data


async def test_key_of_an_id_has_the_limit_of_other_keys(tmp_path: Path, table: str) -> None:
    """Without the name of the table, which an id has before the key."""
    document = "query($id: ID!) { node(id: $id) { id } }"
    async with open_application(tmp_path, RECORDS, limits=ONE, name=table) as application:
        known, long = id_of(b"a", table), id_of(b"aa", table)
        assert (await application.query(document, id=known))["data"] == {"node": {"id": known}}
        (error,) = (await application.query(document, id=long))["errors"]
    assert error["extensions"]["code"] == "BAD_KEY"


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ('{ values(keys: ["a", "b"]) { size } }', "TOO_MANY_KEYS"),
        ('{ values(keys: ["a", "a"]) { size } }', "TOO_MANY_KEYS"),
        ('{ value(key: "aa") { size } }', "BAD_KEY"),
        ('{ entries(prefix: "aa") { __typename } }', "BAD_KEY"),
        ("{ entries(first: 2) { __typename } }", "BAD_INPUT"),
        ("{ entries(last: 2) { __typename } }", "BAD_INPUT"),
        ('{ value(key: "a") { history(last: 2) { kind } } }', "BAD_INPUT"),
        ('{ value(key: "a") { history(last: -1) { kind } } }', "BAD_INPUT"),
    ],
)
async def test_request_beyond_a_limit_of_one_is_refused_with_a_code(
    tmp_path: Path, document: str, code: str, table: str
) -> None:
    async with open_application(tmp_path, RECORDS, limits=ONE, name=table) as application:
        (error,) = (await application.query(document))["errors"]
    assert error["extensions"]["code"] == code


async def test_keys_of_all_fields_of_a_request_count_together(tmp_path: Path, table: str) -> None:
    async with open_application(tmp_path, RECORDS, limits=ONE, name=table) as application:
        document = 'query($id: ID!) { value(key: "a") { size } node(id: $id) { id } }'
        answer = await application.query(document, id=id_of(b"b", table))
    assert answer["data"] == {"value": {"size": 1}, "node": None}
    (error,) = answer["errors"]
    assert (error["path"], error["extensions"]) == (["node"], {"code": "TOO_MANY_KEYS", "limit": 1})


@pytest.mark.parametrize(("requested", "seconds"), [(None, 1.0), (0, 0), (0.5, 0.5), (1.0, 1.0), (3_600, 1.0)])
def test_no_read_waits_longer_than_the_service_allows(requested: float | None, seconds: float) -> None:
    assert replace(LIMITS, wait_seconds_max=1.0).wait_seconds(requested) == seconds


@pytest.mark.parametrize("requested", [-0.1, float("nan"), float("-inf")])
def test_wait_that_is_no_time_is_bad_input(requested: float) -> None:
    with pytest.raises(BadInput):
        LIMITS.wait_seconds(requested)


def test_interval_is_at_least_the_one_allowed() -> None:
    limits = replace(LIMITS, interval_seconds_min=0.1)
    assert [limits.interval(requested) for requested in (None, 0.1, 5)] == [0.1, 0.1, 5]
    for requested in (0.09, 0, -1, float("nan")):
        with pytest.raises(BadInput):
            limits.interval(requested)


@pytest.mark.parametrize(
    ("first", "last", "length"), [(None, None, 100), (0, None, 0), (None, 150, 150), (151, None, None), (1, 1, None)]
)
def test_page_has_100_entries_unless_another_number_is_allowed(
    first: int | None, last: int | None, length: int | None
) -> None:
    limits = replace(LIMITS, page_entries_max=150)
    if length is None:
        with pytest.raises(BadInput):
            limits.page_length(first, last)
    else:
        assert limits.page_length(first, last) == length
