"""What the commands print, whatever keys, values and messages hold."""

import io
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout

import orjson
import pytest
from hypothesis import given

from kvs_graphql.cli.output import (
    escape_unencodable,
    print_error,
    print_json,
    print_line,
    print_lines,
    print_table,
)
from tests.test_printable import TEXT, unsafe


def printed(work: Callable[[], None], *, encoding: str = "utf-8") -> str:
    """What is printed to standard output and standard error, neither of them a terminal."""
    raw = io.BytesIO()
    with (
        io.TextIOWrapper(raw, encoding=encoding, write_through=True) as stream,
        redirect_stdout(stream),
        redirect_stderr(stream),
    ):
        escape_unencodable()
        work()
        return raw.getvalue().decode(encoding)


@given(TEXT)
def test_a_line_stays_one_line(text: str) -> None:
    for work in (lambda: print_line(text), lambda: print_error(text)):
        line = printed(work)
        assert line.endswith("\n")
        assert not unsafe(line[:-1])
    assert unsafe(printed(lambda: print_lines(text))) <= {"\n"}


@given(TEXT, TEXT)
def test_nothing_in_a_table_does_anything(key: str, value: str) -> None:
    text = printed(
        lambda: print_table([(key, value, "0"), (key, ("no value", "dim"), "1")], ("key", "value", "offset"))
    )
    assert unsafe(text) == {"\n"}


def test_each_entry_is_one_row() -> None:
    text = printed(lambda: print_table([("a\nb   1", "one\n\ttwo\r\n"), ("c", "\u2028")], ("key", "value")))
    assert [line.split(maxsplit=1) for line in text.splitlines()[1:]] == [
        [r"a\nb", r"1  one\n\ttwo\r\n "],
        ["c", r"\u2028         "],
    ]


def test_a_long_row_is_not_broken_where_no_terminal_is() -> None:
    long = "x" * 249
    text = printed(lambda: print_table([("orders", f"topic {long} can be read", f"create {long}")], ("table", "found")))
    assert text.splitlines()[1].split() == ["orders", "topic", long, "can", "be", "read", "create", long]


@given(TEXT, TEXT)
def test_json_is_exact_on_one_line(key: str, value: str) -> None:
    encodable = value.encode("utf-8", "ignore").decode()
    text = printed(lambda: print_json({"key": key, "value": encodable}))
    assert not unsafe(text[:-1])
    assert orjson.loads(text)["value"] == encodable


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "żółw"), ("iso-8859-1", r"\u017có\u0142w")])
def test_characters_that_the_encoding_lacks_show_as_escapes(encoding: str, shown: str) -> None:
    assert printed(lambda: print_line("żółw"), encoding=encoding) == f"{shown}\n"
    assert printed(lambda: print_json("żółw"), encoding=encoding).encode(encoding).decode() == '"żółw"\n'
