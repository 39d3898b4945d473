"""Log lines: one shape for this project's own and for its libraries'."""

import logging
import sys
from typing import Literal

import structlog

# These say again, in their own words and without bound, what this service says once.
_QUIET = {
    "aiokafka": logging.CRITICAL,
    "aiosqlite": logging.WARNING,
    "uvicorn": logging.WARNING,
    "strawberry": logging.WARNING,
}


def configure_logging(level: str, form: Literal["auto", "console", "json"]) -> None:
    """Send everything to standard error: for people on a terminal, as one JSON object a line elsewhere."""
    for_people = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if for_people
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
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(logging.NOTSET if level == "debug" else least)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
