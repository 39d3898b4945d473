"""One request and its answer, bounded in bytes. Whoever calls bounds the time."""

from typing import Any

import httpx

from kvs_graphql import outgoing
from kvs_graphql.outgoing import AnswerTooLarge, NoAnswer, parsed
from kvs_graphql.registry.errors import RegistryError, RegistryRefused, RegistryUnavailable


class Away(RegistryUnavailable):
    """The server as a whole is away, slow or overloaded, whatever it is asked for."""


class Unauthorised(RegistryRefused):
    """The server does not believe who asks, whatever it is asked for."""


class Failing(RegistryUnavailable):
    """The server failed at this request. The same one may succeed in a moment."""


def is_of_the_whole(error: RegistryError) -> bool:
    """Whether an error does not depend on what was asked for."""
    return isinstance(error, Away | Unauthorised)


async def exchange(
    http: httpx.AsyncClient, method: str, url: str, server: str, bytes_max: int, **request: Any
) -> tuple[int, bytes]:
    """The status and the body of an answer; `server` names who answers.

    Raises:
        RegistryUnavailable: There is no answer, it is too large, or it says that the server cannot answer.
    """
    try:
        status, body = await outgoing.exchange(http, method, url, server, bytes_max, **request)
    except NoAnswer as error:
        raise Away(str(error)) from None
    except AnswerTooLarge as error:
        raise RegistryUnavailable(str(error)) from None
    if status in (429, 502, 503, 504):
        raise Away(f"{server} answered HTTP {status}")
    if status >= 500:
        raise Failing(f"{server} answered HTTP {status}{error_code(parsed(body))}")
    return status, body


def error_code(answer: Any) -> str:
    """The code in an error of a registry, as part of a message; its text is not taken over, for it may be anything."""
    code = answer.get("error_code") if isinstance(answer, dict) else None
    return f" (error code {code})" if isinstance(code, int) else ""
