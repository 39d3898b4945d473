"""The share of cases that runs beside the main version of Python."""

import pytest

from tests.sampling import chosen, group_of


@pytest.mark.parametrize("cases_max", [1, 2, 5])
@pytest.mark.parametrize("cases", [1, 5, 6, 100])
def test_as_many_cases_are_chosen_as_may_be(cases: int, cases_max: int) -> None:
    for first in range(20):
        indexes = chosen(cases, cases_max, first)
        assert len(indexes) == min(cases, cases_max)
        assert indexes <= set(range(cases))


def test_another_first_case_chooses_others_until_all_were_chosen() -> None:
    assert set().union(*(chosen(100, 5, first) for first in range(20))) == set(range(100))


@pytest.mark.parametrize("case", [1, 2])
def test_tests_are_cases_of_their_function_and_slow_ones_of_their_file(
    request: pytest.FixtureRequest, case: int
) -> None:
    assert group_of(request.node) == request.node.nodeid.removesuffix(f"[{case}]")
    request.node.add_marker(pytest.mark.slow)
    assert group_of(request.node) == request.node.path
