"""Every error that a client sees has a code; what nobody expected is masked, and logged once under an id."""

from secrets import token_hex

import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types.execution import PreExecutionError

from kvs_graphql.errors import KvsError, OperatorError

log = structlog.get_logger(__name__)


def shaped(error: GraphQLError, result: object) -> GraphQLError:
    """The error as a client may see it: with `extensions.code`, and without what is none of its business."""
    original = error.original_error
    if isinstance(original, KvsError) and not isinstance(original, OperatorError):
        return _with(error, str(original), code=original.code, **original.details)
    if original is None and "code" in (error.extensions or {}):
        return error
    if isinstance(error, GraphQLSyntaxError):
        return _with(error, error.message, code="GRAPHQL_PARSE_FAILED")
    if original is None or isinstance(original, GraphQLError):
        # graphql-core's own: of validation before the execution, of a variable's or an argument's value in it.
        validation = isinstance(result, PreExecutionError)
        return _with(error, error.message, code="GRAPHQL_VALIDATION_FAILED" if validation else "BAD_INPUT")
    if isinstance(original, InvalidOperationTypeError):
        # Over HTTP it became a status before; here a stream was asked for by GET.
        return _with(error, original.as_http_error_reason("GET"), code="BAD_INPUT")
    return _masked(error, original)


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
