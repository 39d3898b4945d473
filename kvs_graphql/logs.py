"""Logging: one format for the lines of this project and of its libraries, none of which a client can forge."""

import logging
import sys
from types import TracebackType
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from kvs_graphql.printable import printable, printable_json

# These repeat, without bound, what this service logs once. The second level holds at the level debug: below it, uvicorn
# logs the header fields and the messages of WebSockets, and so the tokens and cookies of clients.
_MINIMUM_LEVELS = {
    "aiokafka": (logging.CRITICAL, logging.NOTSET),
    "aiosqlite": (logging.WARNING, logging.NOTSET),
    "httpcore": (logging.WARNING, logging.INFO),
    "httpx": (logging.WARNING, logging.NOTSET),
    "uvicorn": (logging.WARNING, logging.INFO),
    "strawberry": (logging.WARNING, logging.NOTSET),
}
_BLOCKS = ("exception", "stack")
_INDENT = "    "
_QUOTED = frozenset(" =\"'")


def configure_logging(level: str, form: Literal["auto", "console", "json"]) -> None:
    """Log to standard error, either as text for a console or as one JSON object per line.

    `auto` means text if standard error is a terminal, else JSON. An exception that ends the process is logged as well.

    Text is printable: an event is one line, and the lines of its traceback are indented. JSON has the exact text, in
    ASCII.
    """
    is_text = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_text_processors() if is_text else _json_processors()),
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name, (minimum, minimum_at_debug) in _MINIMUM_LEVELS.items():
        logging.getLogger(name).setLevel(minimum_at_debug if level == "debug" else minimum)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    sys.excepthook = _log_uncaught


def _json_processors() -> list[Processor]:
    return [structlog.processors.JSONRenderer(serializer=printable_json, only_ascii=True)]


def _text_processors() -> list[Processor]:
    return [
        _make_printable,
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            repr_native_str=True,
            exception_formatter=structlog.dev.plain_traceback,
        ),
    ]


class _Shown(str):
    """Text that is shown as it is, where other values would be shown by their `repr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _make_printable(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace every value by printable text."""
    blocks = {name: _indented(event.pop(name)) for name in _BLOCKS if name in event}
    title = printable(str(event.pop("event")))
    values = {printable(name): _Shown(printable(_written(value))) for name, value in event.items()}
    return {"event": title, **values, **blocks}


def _written(value: object) -> str:
    """Return a simple string as it is, and everything else as Python writes it."""
    is_simple = isinstance(value, str) and value.isprintable() and not _QUOTED.intersection(value)
    return str(value) if is_simple else repr(value)


def _indented(block: str) -> str:
    """Return the lines of a traceback, so that none of them looks like another event."""
    return "\n".join(f"{_INDENT}{printable(line)}" for line in block.split("\n"))


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    structlog.get_logger(__name__).critical("uncaught exception", exc_info=(kind, error, trace))
