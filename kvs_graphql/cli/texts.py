"""The texts that commands take."""

from typing import Any

import click


def sendable(_: click.Context, __: click.Parameter, value: Any) -> Any:
    """Refuse arguments with bytes that are not UTF-8, which Python passes on as lone surrogates.

    The callback of options and arguments that a command sends to the service.
    """
    for text in value if isinstance(value, tuple) else (value or "",):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise click.BadParameter("not valid UTF-8") from error
    return value
