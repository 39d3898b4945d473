"""A budget of bytes: who takes too much is refused, and what is given back can be taken again."""

import pytest

from kvs_graphql.errors import LimitExceeded
from kvs_graphql.watch import ByteBudget


def test_budget_refuses_more_than_is_left_and_names_its_setting() -> None:
    budget = ByteBudget(10, "KVS_SETTING", "bytes of something")
    with budget.held(6):
        with pytest.raises(LimitExceeded) as refused, budget.held(5):
            pass
        assert str(refused.value) == "The limit of 10 bytes of something is reached."
        assert refused.value.details == {"limit": 10, "setting": "KVS_SETTING"}
        with budget.held(4):
            assert budget.used == 10
    assert budget.used == 0
    with budget.held(10):
        pass
