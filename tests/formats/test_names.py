"""Names of types, fields and enumeration values in GraphQL."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.formats.names import (
    enum_value_names,
    field_names,
    legal_name,
    member_names,
    part_name,
    type_name,
    unique_type_names,
)

LEGAL = re.compile(r"(?!__)[_A-Za-z][_0-9A-Za-z]*")


@pytest.mark.parametrize(
    ("namespace", "name", "expected"),
    [
        (("com", "shop"), "Line", "OrdersLine"),
        (("com", "shop", "lines"), "Line", "OrdersLinesLine"),
        (("com", "money"), "amount_v2", "OrdersMoneyAmountV2"),
        ((), "Line", "OrdersLine"),
        (("org",), "LINE", "OrdersOrgLINE"),
        (("com", "shop"), "größe", "OrdersGrE"),
        (("com", "shop"), "行", "Orders_"),
    ],
)
def test_type_is_named_after_the_root_and_its_own_full_name(
    namespace: tuple[str, ...], name: str, expected: str
) -> None:
    assert type_name("Orders", ("com", "shop"), namespace, name) == expected


def test_thing_without_a_name_is_named_after_the_path_to_it() -> None:
    assert part_name("OrdersLine", "paid_with", "string") == "OrdersLinePaidWithString"


def test_types_that_would_have_one_name_each_get_a_hash_of_their_full_name() -> None:
    names = unique_type_names({"a.b_c": "OrdersBC", "a.bC": "OrdersBC", "a.d": "OrdersD"}, frozenset())
    assert names["a.d"] == "OrdersD"
    assert len(set(names.values())) == 3
    assert all(re.fullmatch("OrdersBC_[0-9a-f]{8}", names[key]) for key in ("a.b_c", "a.bC"))


def test_type_gives_way_to_reserved_names_and_inputs() -> None:
    names = unique_type_names({"Entry": "OrdersEntry", "x": "OrdersXInput", "y": "__Y"}, {"OrdersEntry"})
    assert names == {"Entry": "OrdersEntry_", "x": "OrdersXInput_", "y": "_Y"}


def test_type_does_not_get_a_name_that_only_another_hash_makes() -> None:
    names = unique_type_names({"a": "T", "b": "T"}, frozenset())
    again = unique_type_names({"a": "T", "b": "T", "c": names["a"]}, frozenset())
    assert len(set(again.values())) == 3


def test_type_gives_way_to_a_reserved_name_that_ends_in_an_underscore() -> None:
    names = unique_type_names({"Entry": "OrdersEntry"}, {"OrdersEntry", "OrdersEntry_"})
    assert names["Entry"] not in {"OrdersEntry", "OrdersEntry_"}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        *(("amount", "amount"), ("order-id", "order_id"), ("2nd", "_2nd"), ("__typename", "_typename")),
        *(("____x", "_x"), ("__", "_"), ("", "_"), ("größe", "gr__e"), ("٣", "_"), ("日本", "_"), ("_x", "_x")),
    ],
)
def test_legal_name(key: str, expected: str) -> None:
    assert legal_name(key) == expected


def test_fields_that_caches_take_for_identities_have_an_underscore() -> None:
    assert field_names(["id", "_id", "Id", "ids"]) == {"id": "id_", "_id": "_id_", "Id": "Id", "ids": "ids"}


def test_field_that_is_written_as_it_shows_keeps_its_name() -> None:
    names = field_names(["a-b", "a_b", "a.b"])
    assert names["a_b"] == "a_b"
    assert re.fullmatch("a_b_[0-9a-f]{8}", names["a-b"])
    assert re.fullmatch("a_b_[0-9a-f]{8}", names["a.b"])
    assert names["a-b"] != names["a.b"]


def test_field_id_gives_way_to_a_field_that_is_written_like_it() -> None:
    names = field_names(["id", "id_"])
    assert names["id_"] == "id_"
    assert re.fullmatch("id__[0-9a-f]{8}", names["id"])


def test_members_of_a_choice_begin_in_lower_case() -> None:
    names = member_names({"a.Card": "Card", "string": "string", "a.Id": "Id", "b.URL": "URL"})
    assert names == {"a.Card": "card", "string": "string", "a.Id": "id_", "b.URL": "uRL"}
    clash = member_names({"a.Card": "Card", "b.Card": "Card"})
    assert all(re.fullmatch("card_[0-9a-f]{8}", name) for name in clash.values())
    assert clash["a.Card"] != clash["b.Card"]


def test_enumeration_values_that_graphql_reserves_have_an_underscore() -> None:
    assert enum_value_names(["true", "false", "null", "TRUE", "id"]) == {
        "true": "true_",
        "false": "false_",
        "null": "null_",
        "TRUE": "TRUE",
        "id": "id",
    }


@given(st.lists(st.text(alphabet="ai_dD-.1é", max_size=6), unique=True, max_size=20))
def test_names_of_fields_are_legal_unique_and_independent_of_their_order(keys: list[str]) -> None:
    names = field_names(keys)
    assert len(set(names.values())) == len(keys)
    assert all(LEGAL.fullmatch(name) for name in names.values())
    assert not {"id", "_id"} & set(names.values())
    assert field_names(reversed(keys)) == names


@given(st.dictionaries(st.text(alphabet="ab_.", max_size=6), st.text(alphabet="Ab1", min_size=1, max_size=3)))
def test_names_of_types_are_unique_and_independent_of_their_order(wanted: dict[str, str]) -> None:
    names = unique_type_names(wanted, {"A", "b"})
    assert len(set(names.values())) == len(wanted)
    assert all(LEGAL.fullmatch(name) for name in names.values())
    assert not {"A", "b"} & set(names.values())
    assert unique_type_names(dict(reversed(wanted.items())), {"A", "b"}) == names
