"""Log lines as an operator reads them, from this project and from its libraries."""

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr
from typing import Literal, NoReturn

import orjson
import pytest
import structlog
from hypothesis import given
from structlog.contextvars import bound_contextvars

from kvs_graphql.credentials import Secret
from kvs_graphql.logs import configure_logging
from kvs_graphql.oauth import ClientCredentials
from kvs_graphql.registry import RegistryConnection, RegistryLimits, open_registry
from tests.deadline import SECONDS_MAX
from tests.registry.front import answering_by_path, front_of
from tests.test_printable import TEXT, unsafe

SECRET = "swordfish"  # noqa: S105 - nobody has this password


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, sys.excepthook
    libraries = ("aiokafka", "aiosqlite", "httpcore", "httpx", "uvicorn", "strawberry")
    levels = {name: logging.getLogger(name).level for name in libraries}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, value in levels.items():
        logging.getLogger(name).setLevel(value)
    sys.excepthook = hook
    structlog.reset_defaults()


def lines(captured: pytest.CaptureFixture[str]) -> list[str]:
    output, errors = captured.readouterr()
    assert output == ""
    return errors.splitlines()


def broken(message: str = "broken\nin two") -> NoReturn:
    raise ValueError(message)


def logged(form: Literal["console", "json"], event: str, value: object, message: str) -> str:
    """All that is logged of an event of ours with a value, of one of a library, and of an error with a message."""
    with redirect_stderr(io.StringIO()) as errors:
        configure_logging("info", form)
        log = structlog.get_logger("kvs_graphql.test")
        log.info(event, value=value, values=[value])
        logging.getLogger("some.package").warning("took %s", event)
        try:
            broken(message)
        except ValueError:
            log.exception("unexpected error")
            logging.getLogger("some.package").exception(event, stack_info=True)
    return errors.getvalue()


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


def test_lines_logged_for_a_table_name_it(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    with bound_contextvars(table="orders"):
        structlog.get_logger("test").info("state", state="LIVE")
    (line,) = map(orjson.loads, lines(capsys))
    assert line["table"] == "orders"


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


@given(TEXT, TEXT, TEXT)
def test_nothing_in_a_line_for_people_does_anything_and_no_event_is_forged(
    event: str, value: str, message: str
) -> None:
    text = logged("console", event, value, message)
    assert unsafe(text) == {"\n"}
    assert len([line for line in text.splitlines() if not line.startswith("    ")]) == 4


@given(TEXT, TEXT, TEXT)
def test_json_lines_are_ascii_and_have_the_exact_text(event: str, value: str, message: str) -> None:
    text = logged("json", event, value, message)
    assert text.isascii()
    assert unsafe(text) == {"\n"}
    ours, theirs, our_error, _ = map(orjson.loads, text.splitlines())
    event, value, message = (text.encode("utf-8", "backslashreplace").decode() for text in (event, value, message))
    assert (ours["event"], ours["value"], ours["values"]) == (event, value, [value])
    assert theirs["event"] == f"took {event}"
    assert our_error["exception"].endswith(f"ValueError: {message}" if message else "ValueError")


@pytest.mark.parametrize("value", [None, True, 5, 0.5, b"\x9b", {"\x1b": "\x9b"}, ValueError("\x1b\n"), object])
def test_values_of_every_type_are_printable(value: object) -> None:
    assert f"value={value!r}" in logged("console", "event", value, "")
    assert unsafe(logged("json", "event", value, "")) == {"\n"}


def test_simple_text_has_no_quotes_on_a_console(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "console")
    structlog.get_logger("kvs_graphql.test").info("state", state="LIVE", reason="two words")
    (line,) = lines(capsys)
    assert line.endswith("[kvs_graphql.test] reason='two words' state=LIVE")


@pytest.mark.parametrize("form", ["console", "json"])
def test_an_error_that_ends_the_process_is_logged(
    form: Literal["console", "json"], capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("info", form)
    try:
        broken("\x1b[2J\nforged")
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    head, *rest = lines(capsys)
    assert "uncaught exception" in head
    assert "\x1b" not in "".join((head, *rest))
    assert all(line.startswith("    ") for line in rest)


@pytest.mark.parametrize("level", ["info", "debug"])
async def test_requests_to_a_registry_log_no_secret_and_nothing_at_the_level_info(
    capsys: pytest.CaptureFixture[str], level: str
) -> None:
    configure_logging(level, "json")
    answers: dict[str, object] = {"/token": {"access_token": SECRET}, "/schemas/ids/1": {"schema": "{}"}}
    async with front_of() as front:
        front.behave(answering_by_path(answers))
        credentials = ClientCredentials(f"{front.url}/token", "me", Secret(SECRET))
        connections = [
            RegistryConnection(front.url, username="ann", password=SECRET),
            RegistryConnection(front.url, token=SECRET),
            RegistryConnection(front.url, credentials=credentials),
        ]
        for connection in connections:
            async with open_registry(connection, RegistryLimits(seconds_max=SECONDS_MAX)) as registry:
                await registry.by_id(1)
    logged = "\n".join(lines(capsys))
    assert SECRET not in logged
    assert ("/schemas/ids/1" in logged) == (level == "debug")
