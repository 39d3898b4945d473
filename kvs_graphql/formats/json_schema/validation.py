"""Validates values that are to be written against the whole schema."""

import re
from collections.abc import Sequence
from typing import Any

import jsonschema_rs

from kvs_graphql.formats.errors import BadSchema, DoesNotFit, one_line
from kvs_graphql.formats.json_schema.branching import Branching
from kvs_graphql.formats.json_schema.documents import NO_BASE, Documents

_DRAFTS = re.compile(r"https?://json-schema\.org/draft[-/]")
_PATTERN_BYTES_MAX = 1_000_000
_PATTERNS = (
    jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES_MAX),
    jsonschema_rs.FancyRegexOptions(backtrack_limit=100_000, size_limit=_PATTERN_BYTES_MAX),
)


class Validator:
    """The validator of one schema."""

    def __init__(self, documents: Documents, branching: Branching) -> None:
        """Compile the schema.

        Raises:
            BadSchema: It is not a valid schema.
        """
        self._names_paths = not branching.multiplies
        self._validator = _compiled(documents)

    def problem(self, value: Any) -> tuple[Sequence[str | int], str] | None:
        """Where a value does not match and why; None if it does.

        The library finds out whether a value matches in bounded time. Why it does not takes exponential time in schemas
        whose alternatives lead to each other more than once: there, nothing but the fact is said.
        """
        try:
            if self._validator.is_valid(value):
                return None
            error = next(iter(self._validator.iter_errors(value)), None) if self._names_paths else None
        except ValueError as failure:
            raise DoesNotFit(one_line(failure)) from None
        if error is None:
            return (), "does not match the schema"
        error = _meant(error)
        return error.instance_path, error.message


def _meant(error: Any) -> Any:
    """Where alternatives do not match, what is wrong with the only one that the value is meant for."""
    while error.kind.name in ("anyOf", "oneOf"):
        path = error.instance_path
        meant = [branch for branch in getattr(error.kind, "context", ()) if branch and not _is_another(branch, path)]
        if len(meant) != 1:
            break
        error = meant[0][0]
    return error


def _is_another(branch: list[Any], path: list[str | int]) -> bool:
    """Whether an alternative is of another type than a value, or has another constant in it."""
    return any(
        one.kind.name in ("const", "enum") or (one.kind.name == "type" and one.instance_path == path) for one in branch
    )


def _compiled(documents: Documents) -> Any:
    """A validator whose patterns take linear time, or at least a bounded one where they look around."""
    problem: Exception | None = None
    for validator in _dialects(documents.root.schema):
        for patterns in _PATTERNS:
            try:
                return validator(
                    documents.root.schema,
                    validate_formats=True,
                    retriever=documents.retrieve,
                    base_uri=NO_BASE,
                    pattern_options=patterns,
                )
            except ValueError as error:
                problem = problem or error
    reason = problem.message if isinstance(problem, jsonschema_rs.ValidationError) else problem
    raise BadSchema(one_line(f"it is not a schema: {reason}"))


def _dialects(schema: Any) -> list[Any]:
    """The validators that a schema may be meant for. Without a known dialect, the newest that allows it counts."""
    if isinstance(schema, dict) and _DRAFTS.match(str(schema.get("$schema"))):
        return [jsonschema_rs.validator_for]
    return [jsonschema_rs.Draft202012Validator, jsonschema_rs.Draft7Validator, jsonschema_rs.Draft4Validator]
