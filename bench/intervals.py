"""Confidence intervals of paired ratios.

The interval is Student's t interval of the mean of the log ratios: NIST/SEMATECH e-Handbook of Statistical Methods,
section 1.3.5.2; the quantiles are those of its table 1.3.6.7.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import fmean, stdev

# The 97.5 % quantile of Student's t distribution for 1, 2, 3, … degrees of freedom.
_T_975 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
PAIRS_MIN = 2


@dataclass(frozen=True, slots=True)
class RatioInterval:
    """The geometric mean of paired ratios, and its 95 % confidence interval."""

    ratio: float
    low: float
    high: float


def ratio_interval(ratios: Sequence[float]) -> RatioInterval:
    """Return the interval of at least PAIRS_MIN positive ratios.

    More ratios than the table covers use its last quantile, which makes the interval slightly wider.

    Raises:
        ValueError: There are fewer than PAIRS_MIN ratios.
    """
    if len(ratios) < PAIRS_MIN:
        raise ValueError(f"an interval needs at least {PAIRS_MIN} pairs")
    logs = [log(ratio) for ratio in ratios]
    degrees = len(logs) - 1
    margin = _T_975[min(degrees, len(_T_975)) - 1] * stdev(logs) / sqrt(len(logs))
    mean = fmean(logs)
    return RatioInterval(exp(mean), exp(mean - margin), exp(mean + margin))
