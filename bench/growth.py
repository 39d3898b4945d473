"""How a cost grows with a size: the exponent of a power law, and its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from statistics import linear_regression

_FLAT_MAX = 0.15
_LINEAR_MIN, _LINEAR_MAX = 0.85, 1.15


@dataclass(frozen=True, slots=True)
class Growth:
    """A cost, measured at several sizes."""

    cost: str
    of: str
    """The thing that the size counts."""
    costs: Mapping[int, float]
    """The median cost at each size."""

    @property
    def exponent(self) -> float:
        """The slope of the line fitted to the logarithms: 0 is flat, 1 is linear."""
        sizes = sorted(self.costs)
        return linear_regression([log(size) for size in sizes], [log(self.costs[size]) for size in sizes]).slope

    @property
    def verdict(self) -> str:
        """Flat, less than linear, linear, or worse."""
        if self.exponent <= _FLAT_MAX:
            return "flat"
        if self.exponent < _LINEAR_MIN:
            return "less than linear"
        return "linear" if self.exponent <= _LINEAR_MAX else "worse than linear"
