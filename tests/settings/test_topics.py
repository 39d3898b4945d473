"""Names of topics."""

import pytest

from kvs_graphql.settings import load_settings


@pytest.mark.parametrize("length", [1, 248, 249])
def test_topic_name_of_any_legal_length_is_accepted(length: int) -> None:
    name = ("Az09._-" * 36)[:length]
    assert load_settings(topic=name).topic == name
