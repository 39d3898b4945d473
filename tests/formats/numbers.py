"""Random numbers that come near their bounds."""

from hypothesis import strategies as st


def integers(low: int, high: int) -> st.SearchStrategy[int]:
    """Whole numbers between two that are far from each other, of which many are next to one of them."""
    return st.integers(low, high) | st.integers(low, low + 9) | st.integers(high - 9, high)
