"""Decimal numbers of a fixed scale: exact text, and the whole number that formats have for them."""

from collections.abc import Callable
from decimal import Decimal


def decimal_shower(scale: int) -> Callable[[int], str]:
    """Shows a whole number divided by 10 to the power of the scale: with all its digits, never with an exponent."""
    if not scale:
        return str
    unit, form = int(10**scale), f"%d.%0{scale}d"

    def show(unscaled: int) -> str:
        return form % divmod(unscaled, unit) if unscaled >= 0 else f"-{form % divmod(-unscaled, unit)}"

    return show


def unscaled_number(value: Decimal, precision: int, scale: int) -> int:
    """The whole number for an exact decimal.

    Raises:
        ValueError: It has more digits than the precision or the scale allow.
    """
    if not value.is_finite():
        raise ValueError("is not a number")
    if not value:
        return 0
    if value.adjusted() >= precision - scale:
        raise ValueError(f"has more than {precision - scale} digits before the point")
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int), "a finite number has a number as its exponent"
    kept = len(digits) + scale + exponent
    if exponent + scale < 0 and any(digits[max(kept, 0) :]):
        raise ValueError(f"has more than {scale} digits after the point")
    unscaled = int("".join(map(str, digits[: max(kept, 0)])) or "0") * int(10 ** max(exponent + scale, 0))
    return -unscaled if sign else unscaled
