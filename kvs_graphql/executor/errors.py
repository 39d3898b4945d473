"""Errors as clients see them: each with a code; unexpected ones masked, and logged once under an id."""

from collections.abc import Iterable
from secrets import token_hex

import structlog
from graphql import GraphQLError, GraphQLSyntaxError

from kvs_graphql.errors import KvsError, OperatorError
from kvs_graphql.metrics import Metrics

log = structlog.get_logger(__name__)


def present(errors: Iterable[GraphQLError], metrics: Metrics) -> list[GraphQLError]:
    """The errors as a client may see them, counted by their codes."""
    presented = [_with_code(error) for error in errors]
    for error in presented:
        metrics.errors.labels((error.extensions or {})["code"]).inc()
    return presented


def _with_code(error: GraphQLError) -> GraphQLError:
    original = error.original_error
    if isinstance(original, KvsError) and not isinstance(original, OperatorError):
        return _copy(error, str(original), code=original.code, **original.details)
    if "code" in (error.extensions or {}):
        return error
    if isinstance(error, GraphQLSyntaxError):
        return _copy(error, error.message, code="GRAPHQL_PARSE_FAILED")
    if original is None or isinstance(original, GraphQLError):
        # graphql-core's own, about the value of a variable or an argument: those of validation have their code already.
        return _copy(error, error.message, code="BAD_INPUT")
    return _masked(error, original)


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
