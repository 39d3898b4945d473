"""Decimal numbers between text and whole numbers."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.formats.decimals import decimal_shower, unscaled_number


@given(st.integers(-(10**40), 10**40), st.integers(0, 45))
def test_text_is_exact_and_read_back(unscaled: int, scale: int) -> None:
    text = decimal_shower(scale)(unscaled)
    assert "E" not in text
    assert Decimal(text).as_tuple().exponent == -scale
    assert unscaled_number(Decimal(text), 50, scale) == unscaled


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1E+2", 10_000), ("1.500", 150), ("-0.01", -1), ("0E-1000000", 0), ("0E+1000000", 0), ("999.99", 99_999)],
)
def test_number_may_be_written_in_another_scale(value: str, expected: int) -> None:
    assert unscaled_number(Decimal(value), 5, 2) == expected


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("1000", "more than 3 digits before"),
        ("1E+1000000", "more than 3 digits before"),
        ("0.001", "more than 2 digits after"),
        ("1E-1000000", "more than 2 digits after"),
        ("NaN", "not a number"),
        ("-Infinity", "not a number"),
    ],
)
def test_number_with_more_digits_is_refused(value: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        unscaled_number(Decimal(value), 5, 2)
