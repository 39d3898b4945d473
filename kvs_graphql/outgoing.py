"""Requests to other servers over HTTP: bounded in bytes, and what went wrong in words."""

import os
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

_WORDS: dict[type[Exception], str] = {
    httpx.ConnectError: "it cannot be connected to",
    httpx.NetworkError: "the connection was lost",
    httpx.RemoteProtocolError: "the connection ended before the answer, or it does not speak HTTP",
    httpx.ProxyError: "the proxy in between refuses",
    Exception: "the request failed",
}


class NoAnswer(Exception):
    """The server cannot be reached, or the connection ended before its answer did."""


class AnswerTooLarge(Exception):
    """The server sent more than was asked for."""


async def exchange(
    http: httpx.AsyncClient, method: str, url: str, server: str, bytes_max: int, **request: Any
) -> tuple[int, bytes]:
    """The status and the body of an answer; `server` names who answers. Whoever calls bounds the time.

    Raises:
        NoAnswer, AnswerTooLarge: See there.
    """
    body = bytearray()
    try:
        async with http.stream(method, url, **request) as response:
            # Not decompressed: a few bytes could become any number.
            async for part in response.aiter_raw():
                body += part
                if len(body) > bytes_max:
                    raise AnswerTooLarge(f"{server} sent more than {bytes_max:,} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoAnswer(f"{server}: {error_words(error)}") from None
    return response.status_code, bytes(body)


def parsed(body: bytes | bytearray) -> Any:
    """The contents of a body; None where it is not JSON."""
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def error_words(error: Exception) -> str:
    """Return an error of HTTP, of TLS or of the network in words, without names or representations of Python."""
    words = filter(None, map(_cause_words, _causes(error)))
    return next(words, None) or next(text for kind, text in _WORDS.items() if isinstance(error, kind))


def _cause_words(error: BaseException) -> str:
    """What the system or OpenSSL says; empty where it is not their error."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is refused: {error.verify_message.strip().rstrip('.')}"
        case ssl.SSLError():
            return f"TLS failed: {(error.reason or 'handshake failed').lower().replace('_', ' ')}"
        case socket.gaierror():
            return f"the host name cannot be resolved: {(error.strerror or 'unknown').lower()}"
        case OSError():
            return ", ".join(dict.fromkeys(os.strerror(number).lower() for number in _numbers(error)))
        case _:
            return ""


def without_secrets(url: str) -> str:
    """Return a URL without what may be a secret in it: a user, a query and a fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What led to an error: causes and contexts, the deepest first."""
    found = list[BaseException]()
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return reversed(found)


def _numbers(error: OSError) -> list[int]:
    # asyncio merges the failures of several addresses into one text.
    return [error.errno] if error.errno else [int(one) for one in re.findall(r"\[Errno (\d+)\]", str(error))]
