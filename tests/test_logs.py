"""Log lines as an operator reads them, of this project and of its libraries."""

import logging
from collections.abc import Iterator

import orjson
import pytest
import structlog

from kvs_graphql.logs import configure_logging


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in ("aiokafka", "aiosqlite", "uvicorn", "strawberry")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, value in levels.items():
        logging.getLogger(name).setLevel(value)
    structlog.reset_defaults()


def lines(written: pytest.CaptureFixture[str]) -> list[str]:
    output, errors = written.readouterr()
    assert output == ""
    return errors.splitlines()


def test_away_from_a_terminal_each_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "auto")
    structlog.get_logger("kvs_graphql.test").info("state", state="LIVE", reason="line one\nline two")
    (line,) = map(orjson.loads, lines(capsys))
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "state",
        "state": "LIVE",
        "reason": "line one\nline two",
        "level": "info",
        "logger": "kvs_graphql.test",
    }


def test_a_library_is_logged_in_the_same_shape(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    logging.getLogger("some.package").warning("took %d s", 5)
    (line,) = map(orjson.loads, lines(capsys))
    assert (line["event"], line["level"], line["logger"]) == ("took 5 s", "warning", "some.package")


def test_an_error_is_one_line_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    structlog.get_logger("kvs_graphql.test").error("unexpected error", exc_info=ValueError("broken\nin two"))
    (line,) = map(orjson.loads, lines(capsys))
    assert line["exception"] == "ValueError: broken\nin two"


def test_lines_for_people_are_not_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "console")
    structlog.get_logger("kvs_graphql.test").info("following", topic="figures")
    (line,) = lines(capsys)
    assert "following" in line
    assert "{" not in line


@pytest.mark.parametrize(("level", "logged"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_says_what_is_left_out(level: str, logged: int, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level, "json")
    log = structlog.get_logger("kvs_graphql.test")
    for method in (log.debug, log.info, log.warning, log.error):
        method("said")
    assert len(lines(capsys)) == logged


def test_what_libraries_repeat_without_end_is_heard_only_when_debugging(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    logging.getLogger("aiokafka.client").error("cannot connect")
    logging.getLogger("uvicorn.error").info("started")
    assert lines(capsys) == []
    configure_logging("debug", "json")
    logging.getLogger("aiokafka.client").error("cannot connect")
    logging.getLogger("uvicorn.error").info("started")
    assert len(lines(capsys)) == 2
