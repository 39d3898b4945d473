"""Errors of connections, in words."""

import socket

import httpx
import pytest

from kvs_graphql.outgoing import error_words, without_secrets


def raised(error: Exception, cause: Exception) -> Exception:
    """An error as a library raises it, because of another one."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (raised(httpx.ConnectError("x"), socket.gaierror(-2, "Name or service not known")), "the host name cannot be"),
        (raised(httpx.ConnectError("x"), OSError("Multiple: [Errno 111] a, [Errno 111] b")), "connection refused"),
        (raised(httpx.ReadError(""), ConnectionResetError(104, "x")), "connection reset by peer"),
        (httpx.ConnectError("All connection attempts failed"), "it cannot be connected to"),
        (httpx.ReadError(""), "the connection was lost"),
        (httpx.ProxyError("403 Forbidden"), "the proxy in between refuses"),
        (httpx.InvalidURL("x"), "the request failed"),
    ],
)
def test_errors_of_connections_are_plain_words(error: Exception, words: str) -> None:
    assert error_words(error).startswith(words)


def test_errors_that_are_causes_of_each_other_end() -> None:
    first, second = httpx.ReadError(""), ValueError()
    first.__context__, second.__context__ = second, first
    assert error_words(first) == "the connection was lost"


def test_url_is_shown_without_what_may_be_secret_in_it() -> None:
    assert without_secrets("https://ann:swordfish@host:8081/path/?key=swordfish#part") == "https://host:8081/path"
