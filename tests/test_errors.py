"""The tree of errors: codes that clients may switch on, and exit codes that scripts may."""

import re
from collections.abc import Iterator

import pytest

from kvs_graphql import errors
from kvs_graphql.errors import ClientError, KvsError, OperatorError, RemoteError, ServiceError, Unreachable

CODES = {
    "BadInput": "BAD_INPUT",
    "BadKey": "BAD_KEY",
    "TooManyKeys": "TOO_MANY_KEYS",
    "NotUtf8": "NOT_UTF8",
    "NotJson": "NOT_JSON",
    "BadCursor": "BAD_CURSOR",
    "LimitExceeded": "LIMIT_EXCEEDED",
    "NotCaughtUp": "NOT_CAUGHT_UP",
    "Unavailable": "UNAVAILABLE",
}
EXIT_CODES = {"BadSetting": 2, "DatabaseError": 3, "TopicMismatch": 4, "BrokerRefused": 5}


def below(kind: type[KvsError]) -> Iterator[type[KvsError]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from below(child)


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_the_code_of_an_error_never_changes(name: str, code: str) -> None:
    assert getattr(errors, name).code == code


@pytest.mark.parametrize(("name", "code"), EXIT_CODES.items())
def test_the_exit_code_of_an_error_never_changes(name: str, code: int) -> None:
    assert getattr(errors, name).exit_code == code


def test_every_error_that_a_client_may_see_has_a_code_of_its_own_or_its_parents() -> None:
    for kind in (*below(ClientError), *below(ServiceError)):
        assert re.fullmatch(r"[A-Z][A-Z0-9_]+", kind.code)
        assert kind.code != KvsError.code


def test_every_error_is_somebodys_to_mend() -> None:
    branches: set[type[KvsError]] = {ClientError, ServiceError, OperatorError, RemoteError, Unreachable}
    assert {kind for kind in KvsError.__subclasses__() if kind.__module__ == errors.__name__} == branches


def test_the_tree_that_is_drawn_is_the_tree_there_is() -> None:
    assert errors.__doc__ is not None
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__))
    assert drawn == {kind.__name__ for kind in below(KvsError)}


def test_an_error_keeps_its_message_and_its_details() -> None:
    error = errors.TooManyKeys("too many", limit=1)
    assert (str(error), error.details) == ("too many", {"limit": 1})
