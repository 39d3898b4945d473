"""What open subscriptions keep of the requests that began them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from kvs_graphql.api import Connection
from kvs_graphql.executor import Given, PreparedOperation
from kvs_graphql.service import ByteBudget

# A document takes twice its text, and so much for each of its tokens, of which there are no more than characters.
_BYTES_PER_CHARACTER = 300
_CHARACTERS_MAX = 4_096
_ID_COPIES = 3


class KeptRequests:
    """Counts it in the budget of arguments; keys and cursors are counted by those who watch them."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._documents: dict[int, tuple[int, int]] = {}
        """How many open subscriptions use a document, and the bytes that it takes once for all of them."""

    def connection(
        self, connection: Connection, prepared: PreparedOperation, variables: Given, identity: str = ""
    ) -> Connection:
        """The connection for one subscription; `identity` is its id there.

        With the slot that it takes once it is bound, its request is counted, and the variables are dropped of which
        nobody has use any more.
        """
        return connection._replace(slot=partial(self._slot, connection, prepared, variables, identity))

    @contextmanager
    def _slot(
        self, connection: Connection, prepared: PreparedOperation, variables: Given, identity: str
    ) -> Iterator[None]:
        own = _ID_COPIES * sys.getsizeof(identity) + _bytes_of(variables)
        if isinstance(variables, dict):
            variables.clear()
        with connection.slot(), self._budget.held(own):
            self._take(prepared)
            try:
                yield
            finally:
                self._give_back(prepared)

    def _take(self, prepared: PreparedOperation) -> None:
        document = id(prepared.document)
        users, size = self._documents.get(document) or (0, _bytes_of_document(prepared))
        if not users:
            self._budget.take(size)
        self._documents[document] = users + 1, size

    def _give_back(self, prepared: PreparedOperation) -> None:
        document = id(prepared.document)
        users, size = self._documents[document]
        if users > 1:
            self._documents[document] = users - 1, size
        else:
            del self._documents[document]
            self._budget.give_back(size)


def _bytes_of_document(prepared: PreparedOperation) -> int:
    """About what a document takes in memory once it is prepared."""
    location = prepared.document.loc
    query = "" if location is None else location.source.body
    return 2 * sys.getsizeof(query) + _BYTES_PER_CHARACTER * min(len(query), _CHARACTERS_MAX)


def _bytes_of(variables: Given) -> int:
    """What strings and lists of strings among the variables take: what is kept of a bound operation is made of such."""
    size = 0
    for value in (variables or {}).values():
        size += sys.getsizeof(value) + (sum(map(sys.getsizeof, value)) if isinstance(value, list) else 0)
    return size
