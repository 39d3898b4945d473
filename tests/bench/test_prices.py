"""The table of prices: every kind of work is asked for rightly, and has the price that the schema states."""

import math

import pytest

from bench.prices import COST, WORKS, Priced, Work, measure, prices_text

FEW = {
    "an entry by its key: `key`": 1,
    "JSON of 1 KiB: `json`": 5,
    "Avro: `data`, ten fields": 15,
    "introspection": 9_999,
}


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
async def test_more_of_each_kind_of_work_costs_more(work: Work) -> None:
    (priced,) = await measure([work], repetitions=1)
    assert priced.units == FEW.get(work.name, priced.units) > 0
    assert math.isfinite(priced.seconds)


def test_a_line_says_what_a_unit_takes_and_what_all_of_them_would() -> None:
    assert Priced("json", COST, 5, 50e-6, 100_000).cells == (COST, "json", "5", "50.0", "10.000", "1.00")
    assert "10.000" in prices_text([Priced("json", COST, 5, 50e-6, 100_000)])
