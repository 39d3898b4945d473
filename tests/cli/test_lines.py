"""Parsing of NDJSON and CSV lines, however the file is split into chunks."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.cli.lines import LINE_BYTES_MAX, BadLine, Csv, Format, Line, LineSplitter, Ndjson
from kvs_graphql.cli.tables import TableFields

TEXT = TableFields(None)


def parse(file_format: Format, content: bytes, cuts: tuple[int, ...] = ()) -> list[Line | BadLine]:
    """Parse the content in chunks that end at these offsets."""
    offsets = [0, *sorted(cuts), len(content)]
    splitter = LineSplitter()
    raw = [line for start, end in pairwise(offsets) for line in splitter.feed(content[start:end])]
    parsed = [file_format.parse(number, line) for number, line in enumerate([*raw, *splitter.end()], start=1)]
    return [line for line in (*parsed, file_format.end()) if line is not None]


@given(st.lists(st.integers(0, 60)))
def test_chunk_boundaries_do_not_matter(cuts: list[int]) -> None:
    content = 'key,value\r\na,"1\n""2"""\n\nclé,wért\nlast,'.encode()
    expected = [Line(2, "a", '1\n"2"'), Line(5, "clé", "wért"), Line(6, "last", "")]
    assert parse(Csv(TEXT), content, tuple(cuts)) == expected


def test_ndjson_values_are_strings_other_json_or_null() -> None:
    content = b"""\xef\xbb\xbf{"key": "text", "value": "1"}
{"value": {"a": [1, null]}, "key": "object"}\r
   \t
{"key": "number", "value": 1.5}
{"key": "false", "value": false}
{"key": "", "value": null}"""
    assert parse(Ndjson(TEXT), content) == [
        Line(1, "text", "1"),
        Line(2, "object", '{"a":[1,null]}'),
        Line(4, "number", "1.5"),
        Line(5, "false", "false"),
        Line(6, "", None),
    ]


@pytest.mark.parametrize("number", ["963019363229999955968", "-0", "1.50", "1E-7", "0." + "3" * 40, "1e400"])
def test_ndjson_values_have_their_numbers_as_they_were_written(number: str) -> None:
    lines = [f'{{"key": "a", "value": {value}}}' for value in (number, f'{{"n":[{number}]}}')]
    assert parse(Ndjson(TEXT), "\n".join(lines).encode()) == [Line(1, "a", number), Line(2, "a", f'{{"n":[{number}]}}')]


def test_ndjson_values_may_be_nested_deep() -> None:
    deep = "[" * 2_000 + "]" * 2_000
    assert parse(Ndjson(TEXT), f'{{"key": "a", "value": {deep}}}'.encode()) == [Line(1, "a", deep)]
    (bad,) = parse(Ndjson(TEXT), f'{{"key": "a", "value": {deep}, "x": 1}}'.encode())
    assert isinstance(bad, BadLine)


def test_bad_ndjson_lines_are_reported_by_number_and_the_others_are_parsed() -> None:
    content = b'{"key": "a"\n[]\n{"key": 1, "value": ""}\n{"key": "b"}\n\xff\n{"key": "c", "value": "", "x": 1}\n'
    found = parse(Ndjson(TEXT), content + b'{"key": "good", "value": ""}')
    assert [(type(line), line.number) for line in found] == [(BadLine, n) for n in range(1, 7)] + [(Line, 7)]


def test_bad_csv_records_are_reported_by_number_and_the_others_are_parsed() -> None:
    content = b'a\na,b,c\n\xff,b\n"a"b,c\ngood,1\nkey,value\n"open,1\nmore'
    found = parse(Csv(TEXT), content)
    assert [line.number for line in found if isinstance(line, BadLine)] == [1, 2, 3, 4, 7]
    assert [line for line in found if isinstance(line, Line)] == [Line(5, "good", "1"), Line(6, "key", "value")]


def test_a_line_over_the_limit_is_refused_without_being_kept_in_memory() -> None:
    splitter = LineSplitter()
    for _ in range(LINE_BYTES_MAX // 2**20 + 3):
        assert list(splitter.feed(b"x" * 2**20)) == []
    (long,) = splitter.feed(b'\n{"key": "a", "value": "1"}')
    assert len(long) == LINE_BYTES_MAX + 1
    assert isinstance(Ndjson(TEXT).parse(1, long), BadLine)
    assert isinstance(Csv(TEXT).parse(1, long), BadLine)
    assert [Ndjson(TEXT).parse(2, line) for line in splitter.end()] == [Line(2, "a", "1")]
