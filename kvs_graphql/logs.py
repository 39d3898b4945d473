"""Logging: one format for the lines of this project and of its libraries."""

import logging
import sys
from typing import Literal

import structlog

# These repeat, without bound, what this service logs once. The second level holds at the level debug: below it, uvicorn
# logs the header fields and the messages of WebSockets, and so the tokens and cookies of clients.
_MINIMUM_LEVELS = {
    "aiokafka": (logging.CRITICAL, logging.NOTSET),
    "aiosqlite": (logging.WARNING, logging.NOTSET),
    "uvicorn": (logging.WARNING, logging.INFO),
    "strawberry": (logging.WARNING, logging.NOTSET),
}


def configure_logging(level: str, form: Literal["auto", "console", "json"]) -> None:
    """Log to standard error, either as text for a console or as one JSON object per line.

    `auto` means text if standard error is a terminal, else JSON.
    """
    is_text = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if is_text
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
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
