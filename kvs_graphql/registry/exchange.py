"""One request and its answer, bounded in bytes. Whoever calls bounds the time."""

from typing import Any

import httpx
import orjson

from kvs_graphql.registry.errors import RegistryError, RegistryRefused, RegistryUnavailable
from kvs_graphql.registry.words import error_words


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
    body = bytearray()
    try:
        async with http.stream(method, url, **request) as response:
            # Not decompressed: a few bytes could become any number.
            async for part in response.aiter_raw():
                body += part
                if len(body) > bytes_max:
                    raise RegistryUnavailable(f"{server} sent more than {bytes_max:,} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Away(f"{server}: {error_words(error)}") from None
    status = response.status_code
    if status in (429, 502, 503, 504):
        raise Away(f"{server} answered HTTP {status}")
    if status >= 500:
        raise Failing(f"{server} answered HTTP {status}{error_code(parsed(body))}")
    return status, bytes(body)


def parsed(body: bytes | bytearray) -> Any:
    """The contents of a body; None where it is not JSON."""
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def error_code(answer: Any) -> str:
    """The code in an error of a registry, as part of a message; its text is not taken over, for it may be anything."""
    code = answer.get("error_code") if isinstance(answer, dict) else None
    return f" (error code {code})" if isinstance(code, int) else ""
