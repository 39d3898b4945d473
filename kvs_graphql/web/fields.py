"""The header fields of a request, by name."""

from starlette.types import Scope


def fields_of(scope: Scope) -> dict[bytes, bytes]:
    """The values of a request's header fields, by their names in lower case.

    Those of a name that comes several times are joined by commas (RFC 9110, 5.3), so two values make a wrong one.
    """
    headers = scope["headers"]
    fields: dict[bytes, bytes] = dict(headers)
    return fields if len(fields) == len(headers) else _joined(headers)


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        fields[name] = fields[name] + b", " + value if name in fields else value
    return fields
