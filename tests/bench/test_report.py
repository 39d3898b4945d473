"""The tables of the benchmark."""

import pytest

from bench.figures import share_percent
from bench.growth import Growth
from bench.measure import BASELINE, FLOOR, OURS, Measurement, rows
from bench.report import HEAD, growth_lines, lines, markdown, notes, text, with_part

MEASURED = [
    Measurement("one key", FLOOR, 1, {"requests_per_s": 10_000, "p99_ms": 2}),
    Measurement("one key", OURS, 1, {"requests_per_s": 5_000, "p99_ms": 5}, ("odd",)),
    Measurement("one key", BASELINE, 1, {"requests_per_s": 400, "p99_ms": 50}),
]


def test_rates_are_shares_of_the_floor_and_times_are_multiples_of_it() -> None:
    rate, time = (dict(zip(HEAD, cells, strict=True)) for cells in lines(MEASURED))
    assert (rate["floor"], rate["ours"], rate["ours / floor"], rate["baseline / floor"]) == (
        "10,000",
        "5,000",
        "50 %",
        "4 %",
    )
    assert (time["ours"], time["ours / floor"]) == ("5.00", "2.50 ×")


def test_a_line_shows_whether_the_aim_was_met() -> None:
    assert lines(MEASURED)[0][-1] == "≥ 45 %: met"
    slower = Measurement("one key", OURS, 1, {"requests_per_s": 4_000})
    assert lines([MEASURED[0], slower])[0][-1] == "≥ 45 %: not met"


def test_an_aim_above_another_shape_counts_from_its_ratio_in_the_same_run() -> None:
    def measured(shape: str, ours: float) -> list[Measurement]:
        figure = "cpu_us_per_request"
        return [Measurement(shape, FLOOR, 1, {figure: 10}), Measurement(shape, OURS, 1, {figure: ours})]

    text_one, near, far = measured("one value, text", 15), *(measured("one value, Avro", ours) for ours in (16.9, 17.1))
    assert lines([*text_one, *near])[1][-1] == "≤ 1.70 ×: met"
    assert lines([*text_one, *far])[1][-1] == "≤ 1.70 ×: not met"
    assert lines(near)[0][-1] == ""


def test_several_rounds_show_their_spread() -> None:
    again = Measurement("one key", FLOOR, 2, {"requests_per_s": 12_000})
    assert lines([MEASURED[0], again])[0][2] == "11,000 (10,000–12,000)"


def test_notes_name_the_subject_and_count_the_rounds() -> None:
    assert notes(MEASURED) == ["one key, ours: odd (in 1 of 1 rounds)"]


def test_text_and_markdown_have_the_same_cells() -> None:
    document, terminal = markdown({"python": "3.11"}, MEASURED), text(MEASURED)
    assert document.startswith("Machine: python: 3.11.\n")
    for cells in lines(MEASURED):
        assert f"| {' | '.join(cells)} |" in document
        assert all(cell in terminal for cell in cells)
    assert "- one key, ours: odd (in 1 of 1 rounds)" in document


def test_each_size_that_costs_grow_with_has_a_table() -> None:
    growths = [
        Growth("one key", "connections", {1: 10.0, 16: 10.0}),
        Growth("a change", "watches", {10: 1.0, 100: 10.0}),
    ]
    assert growth_lines(growths) == [
        "| with connections | 1 | 16 | exponent | growth |",
        "| --- | --- | --- | --- | --- |",
        "| one key | 10.0 | 10.0 | 0.00 | flat |",
        "",
        "| with watches | 10 | 100 | exponent | growth |",
        "| --- | --- | --- | --- | --- |",
        "| a change | 1.0 | 10.0 | 1.00 | linear |",
        "",
    ]


def test_the_share_of_a_cost_is_the_part_that_the_floor_needs() -> None:
    rate, time = rows(MEASURED)
    assert share_percent(rate, OURS) == 50
    assert share_percent(time, OURS) == 40
    assert share_percent(rate, FLOOR) is None


def test_only_the_named_part_of_a_page_is_replaced() -> None:
    page = "before\n<!-- results -->\nold\n<!-- /results -->\nafter"
    assert with_part(page, "results", "new\n") == "before\n<!-- results -->\nnew\n<!-- /results -->\nafter"
    with pytest.raises(ValueError, match="growth"):
        with_part(page, "growth", "new")
