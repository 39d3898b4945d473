"""What a file's lines say, however the file comes in pieces."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.cli.lines import LINE_BYTES_MAX, BadLine, CommaSeparated, Form, Line, Lines, Ndjson


def read(form: Form, content: bytes, cuts: tuple[int, ...] = ()) -> list[Line | BadLine]:
    """Everything that the content says, read in the pieces that these places cut it into."""
    places = [0, *sorted(cuts), len(content)]
    lines = Lines()
    raw = [line for start, end in pairwise(places) for line in lines.feed(content[start:end])]
    said = [form.line(number, line) for number, line in enumerate([*raw, *lines.end()], start=1)]
    return [found for found in (*said, form.end()) if found is not None]


@given(st.lists(st.integers(0, 60)))
def test_pieces_do_not_matter(cuts: list[int]) -> None:
    content = 'key,value\r\na,"1\n""2"""\n\nclé,wért\nlast,'.encode()
    expected = [Line(2, "a", '1\n"2"'), Line(5, "clé", "wért"), Line(6, "last", "")]
    assert read(CommaSeparated(), content, tuple(cuts)) == expected


def test_ndjson_values_are_text_json_or_nothing() -> None:
    content = b"""\xef\xbb\xbf{"key": "text", "value": "1"}
{"value": {"a": [1, null]}, "key": "object"}\r
   \t
{"key": "number", "value": 1.5}
{"key": "false", "value": false}
{"key": "", "value": null}"""
    assert read(Ndjson(), content) == [
        Line(1, "text", "1"),
        Line(2, "object", '{"a":[1,null]}'),
        Line(4, "number", "1.5"),
        Line(5, "false", "false"),
        Line(6, "", None),
    ]


def test_bad_lines_are_told_by_number_and_the_others_are_read() -> None:
    content = b'{"key": "a"\n[]\n{"key": 1, "value": ""}\n{"key": "b"}\n\xff\n{"key": "c", "value": "", "x": 1}\n'
    found = read(Ndjson(), content + b'{"key": "good", "value": ""}')
    assert [(type(line), line.number) for line in found] == [(BadLine, n) for n in range(1, 7)] + [(Line, 7)]


def test_bad_rows_are_told_by_number_and_the_others_are_read() -> None:
    content = b'a\na,b,c\n\xff,b\n"a"b,c\ngood,1\nkey,value\n"open,1\nmore'
    found = read(CommaSeparated(), content)
    assert [line.number for line in found if isinstance(line, BadLine)] == [1, 2, 3, 4, 7]
    assert [line for line in found if isinstance(line, Line)] == [Line(5, "good", "1"), Line(6, "key", "value")]


def test_of_a_line_without_end_only_what_shows_that_it_is_too_long_is_kept() -> None:
    lines = Lines()
    for _ in range(LINE_BYTES_MAX // 2**20 + 3):
        assert list(lines.feed(b"x" * 2**20)) == []
    (long,) = lines.feed(b'\n{"key": "a", "value": "1"}')
    assert len(long) == LINE_BYTES_MAX + 1
    assert isinstance(Ndjson().line(1, long), BadLine)
    assert isinstance(CommaSeparated().line(1, long), BadLine)
    assert [Ndjson().line(2, line) for line in lines.end()] == [Line(2, "a", "1")]
