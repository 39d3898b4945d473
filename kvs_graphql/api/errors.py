"""Every error that a client sees has a code; what nobody expected is masked, and logged once under an id."""

from collections.abc import Iterable
from secrets import token_hex

import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from kvs_graphql.errors import KvsError, OperatorError
from kvs_graphql.metrics import Metrics

log = structlog.get_logger(__name__)

_NOTHING_TO_RUN = (MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError)
"""What Strawberry raises where a request names no operation, or none that may run there."""


def shaped(error: GraphQLError) -> GraphQLError:
    """The error as a client may see it: with `extensions.code`, and without what is none of its business."""
    original = error.original_error
    if isinstance(original, KvsError) and not isinstance(original, OperatorError):
        return _with(error, str(original), code=original.code, **original.details)
    if "code" in (error.extensions or {}):
        return error
    if isinstance(error, GraphQLSyntaxError):
        return _with(error, error.message, code="GRAPHQL_PARSE_FAILED")
    if isinstance(original, _NOTHING_TO_RUN):
        return _with(error, "The request names no operation that can run here.", code="BAD_INPUT")
    if original is None or isinstance(original, GraphQLError):
        # graphql-core's own, of a variable's or an argument's value: what validation found has its code already.
        return _with(error, error.message, code="BAD_INPUT")
    return _masked(error, original)


def coded(errors: Iterable[GraphQLError], metrics: Metrics) -> list[GraphQLError]:
    """The errors as a client may see them, counted by their codes."""
    told = [shaped(error) for error in errors]
    for error in told:
        metrics.errors.labels((error.extensions or {})["code"]).inc()
    return told


def masked(original: BaseException) -> GraphQLError:
    """An unexpected error that happened outside of any field."""
    return _masked(GraphQLError(str(original)), original)


def _masked(error: GraphQLError, original: BaseException) -> GraphQLError:
    identity = token_hex(6)
    log.error("unexpected error", id=identity, path=error.path, exc_info=original)
    message = f"An unexpected error happened. The service's log has it under the id {identity}."
    return _with(error, message, code="INTERNAL", id=identity)


def _with(error: GraphQLError, message: str, **extensions: object) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )
