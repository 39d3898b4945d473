"""Log lines as an operator reads them, from this project and from its libraries."""

import logging
from collections.abc import Iterator
from typing import NoReturn

import orjson
import pytest
import structlog

from kvs_graphql.logs import configure_logging


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in ("aiokafka", "aiosqlite", "uvicorn", "strawberry")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, value in levels.items():
        logging.getLogger(name).setLevel(value)
    structlog.reset_defaults()


def lines(captured: pytest.CaptureFixture[str]) -> list[str]:
    output, errors = captured.readouterr()
    assert output == ""
    return errors.splitlines()


def broken() -> NoReturn:
    raise ValueError("broken\nin two")


def test_without_a_terminal_each_line_is_a_json_object(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_lines_of_libraries_have_the_same_format(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    logging.getLogger("some.package").warning("took %d s", 5)
    (line,) = map(orjson.loads, lines(capsys))
    assert (line["event"], line["level"], line["logger"]) == ("took 5 s", "warning", "some.package")


def test_an_error_is_one_line_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    try:
        broken()
    except ValueError:
        structlog.get_logger("kvs_graphql.test").exception("unexpected error")
    (line,) = map(orjson.loads, lines(capsys))
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("ValueError: broken\nin two")


def test_console_lines_are_not_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "console")
    structlog.get_logger("kvs_graphql.test").info("following", topic="figures")
    (line,) = lines(capsys)
    assert "following" in line
    assert "{" not in line


@pytest.mark.parametrize(("level", "logged"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_lines_below_the_minimum_level_are_dropped(level: str, logged: int, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level, "json")
    log = structlog.get_logger("kvs_graphql.test")
    for method in (log.debug, log.info, log.warning, log.error):
        method("event")
    assert len(lines(capsys)) == logged


def test_noisy_libraries_are_logged_only_at_debug_level(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    logging.getLogger("aiokafka.client").error("cannot connect")
    logging.getLogger("uvicorn.error").info("started")
    assert lines(capsys) == []
    configure_logging("debug", "json")
    logging.getLogger("aiokafka.client").error("cannot connect")
    logging.getLogger("uvicorn.error").info("started")
    assert len(lines(capsys)) == 2
