"""The tree of errors: stable codes for clients, and stable exit codes for scripts."""

import re
from collections.abc import Iterator
from typing import TypeVar

import pytest

from kvs_graphql import errors
from kvs_graphql.errors import ClientError, KvsError, LimitExceeded, OperatorError, ServiceError

E = TypeVar("E", bound=KvsError)

CODES = {
    "BadInput": "BAD_INPUT",
    "BadKey": "BAD_KEY",
    "TooManyKeys": "TOO_MANY_KEYS",
    "NotUtf8": "NOT_UTF8",
    "NotJson": "NOT_JSON",
    "Undecodable": "UNDECODABLE",
    "BadCursor": "BAD_CURSOR",
    "LimitExceeded": "LIMIT_EXCEEDED",
    "BudgetExceeded": "LIMIT_EXCEEDED",
    "ValueTooLarge": "VALUE_TOO_LARGE",
    "Unauthenticated": "UNAUTHENTICATED",
    "Forbidden": "FORBIDDEN",
    "NotCaughtUp": "NOT_CAUGHT_UP",
    "KafkaUnavailable": "KAFKA_UNAVAILABLE",
    "WriteOutcomeUnknown": "WRITE_OUTCOME_UNKNOWN",
    "Unavailable": "UNAVAILABLE",
    "Unwritable": "UNAVAILABLE",
}
EXIT_CODES = {
    "BadSetting": 2,
    "DatabaseError": 3,
    "Damaged": 3,
    "TopicMismatch": 4,
    "BrokerRefused": 5,
    "UnreadableRecord": 5,
}


def below(kind: type[E]) -> Iterator[type[E]]:
    """Every class of the tree below one."""
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from below(child)


def drawn() -> dict[str, tuple[str, str | None]]:
    """The parent of each error in the drawing, and the code beside it."""
    tree: dict[str, tuple[str, str | None]] = {}
    path = ["KvsError"]
    for indent, name, text in re.findall(r"^ {4}([│ ]*)[├└]── (\w+) *(.*)$", errors.__doc__ or "", re.MULTILINE):
        depth = len(indent) // 4 + 1
        path[depth:] = [name]
        tree[name] = (path[depth - 1], text if re.fullmatch("[A-Z_0-9]+", text) else None)
    return tree


def test_every_code_that_clients_may_see_is_stable() -> None:
    assert {kind.__name__: kind.code for kind in (*below(ClientError), *below(ServiceError))} == CODES


def test_every_exit_code_is_stable() -> None:
    assert {kind.__name__: kind.exit_code for kind in below(OperatorError)} == EXIT_CODES


def test_the_drawing_shows_every_error_below_its_parent() -> None:
    parents = {kind.__name__: kind.__mro__[1].__name__ for kind in below(KvsError)}
    assert {name: parent for name, (parent, _) in drawn().items()} == parents


def test_the_drawing_shows_the_codes_that_errors_have() -> None:
    shown = {name: code for name, (_, code) in drawn().items() if code is not None}
    assert shown == {name: code for name, code in CODES.items() if name != "Unwritable"}


def test_error_keeps_its_message_and_details() -> None:
    error = errors.TooManyKeys("too many", limit=1)
    assert (str(error), error.details) == ("too many", {"limit": 1})


@pytest.mark.parametrize("limit", [0, 100])
def test_error_of_a_limit_names_its_setting(limit: int) -> None:
    error = LimitExceeded.of("KVS_WEBSOCKETS_MAX", limit, "open WebSockets")
    assert str(error) == f"The limit of {limit} open WebSockets is reached."
    assert error.details == {"limit": limit, "setting": "KVS_WEBSOCKETS_MAX"}
