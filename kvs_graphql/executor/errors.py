"""Errors as clients see them: each with a code; unexpected ones masked, and logged once under an id."""

import re
from collections.abc import Iterable
from secrets import token_hex

import structlog
from graphql import GraphQLError, GraphQLSyntaxError

from kvs_graphql.errors import KvsError, OperatorError
from kvs_graphql.metrics import Metrics

_MESSAGE_CHARACTERS_MAX = 1_000
_IN_GRAPHQL = {"None": "null", "True": "true", "False": "false"}
# Text in quotation marks is a name or a client's own.
_PYTHON = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\b(?:None|True|False)\b""")

log = structlog.get_logger(__name__)


def present(errors: Iterable[GraphQLError], metrics: Metrics) -> list[GraphQLError]:
    """The errors as a client may see them, counted by their codes."""
    presented: list[GraphQLError] = []
    for error in errors:
        presented.append(shown := _with_code(error))
        metrics.count_error((shown.extensions or {})["code"])
        _forget_origin(error)
    return presented


def _forget_origin(error: BaseException) -> None:
    """Free what was read when an error was raised.

    A frame that names its own error, or an error that the executor keeps, is freed only by garbage collection; and the
    errors of decoders have with them all that they were to decode.
    """
    found: BaseException | None = error
    while found is not None:
        origin = getattr(found, "original_error", None) or found.__cause__ or found.__context__
        found.__traceback__ = found.__cause__ = found.__context__ = None
        # Errors may lead back to each other: one that was here before has no origin any more.
        found = origin


def _with_code(error: GraphQLError) -> GraphQLError:
    original = error.original_error
    if isinstance(original, KvsError) and not isinstance(original, OperatorError):
        return _copy(error, _shortened(str(original)), code=original.code, **original.details)
    extensions = error.extensions or {}
    if "code" in extensions:
        message = _readable(error.message)
        return error if message == error.message else _copy(error, message, **extensions)
    if isinstance(error, GraphQLSyntaxError):
        return _copy(error, _shortened(error.message), code="GRAPHQL_PARSE_FAILED")
    if original is None or isinstance(original, GraphQLError):
        # graphql-core's own, about the value of a variable or an argument: those of validation have their code already.
        return _copy(error, _readable(error.message), code="BAD_INPUT")
    return _masked(error, original)


def _shortened(message: str) -> str:
    """The message, without the end of what it repeats of a request."""
    return message if len(message) <= _MESSAGE_CHARACTERS_MAX else f"{message[: _MESSAGE_CHARACTERS_MAX - 1]}…"


def _readable(message: str) -> str:
    """A message of graphql-core, with values in the words of GraphQL instead of Python's."""
    return _PYTHON.sub(lambda found: _IN_GRAPHQL.get(found[0], found[0]), _shortened(message))


def _masked(error: GraphQLError, original: BaseException) -> GraphQLError:
    identity = token_hex(6)
    log.error("unexpected error", id=identity, path=error.path, exc_info=original)
    return _copy(
        error,
        f"An unexpected error occurred. The log has the details under id {identity}.",
        code="INTERNAL",
        id=identity,
    )


def _copy(error: GraphQLError, message: str, **extensions: object) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )
