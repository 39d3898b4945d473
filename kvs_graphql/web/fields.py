"""The header fields of a request, by name."""

from starlette.types import Scope

_FIELDS = "kvs_graphql.fields"
"""In the scope, once somebody has asked."""


def fields_of(scope: Scope) -> dict[bytes, bytes]:
    """The values of a request's header fields, by their names in lower case.

    Those of a name that comes several times are joined by commas (RFC 9110, 5.3), so two values make a wrong one.
    """
    fields: dict[bytes, bytes] | None = scope.get(_FIELDS)
    if fields is None:
        headers = scope["headers"]
        fields = dict(headers)
        if len(fields) != len(headers):
            fields = _joined(headers)
        scope[_FIELDS] = fields
    return fields


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        fields[name] = fields[name] + b", " + value if name in fields else value
    return fields
