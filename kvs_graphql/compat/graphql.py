"""graphql-core: its executor, held to the budget of each operation.

It overrides methods that graphql-core documents as its own affair: `complete_list_value`, `complete_leaf_value` and
`handle_field_error`; and the undocumented attribute `async_helpers`.

An execution that is cancelled leaves coroutines that have not begun, its own and those that Strawberry makes of
resolvers. Nothing is lost with them, but Python would print a warning: hence the filter.
"""

import warnings
from collections.abc import Sized
from typing import Any, Protocol

from graphql import Executor, GraphQLError, GraphQLResolveInfoHelpers
from graphql.pyutils import Path

_ITEMS_MIN = 16
ABANDONED = r"coroutine '(Executor\.(await|complete|execute|with)_|GraphQLCoreConverter\.).*' was never awaited"
"""The warning about a coroutine that a cancelled execution has left, as a regular expression."""
warnings.filterwarnings("ignore", ABANDONED, RuntimeWarning)


class Meter(Protocol):
    """What counts the work of one operation, and ends it with an error of the type `exceeded`."""

    exceeded: type[Exception]

    @property
    def turn_is_over(self) -> bool: ...
    def in_turns(self, items: list[Any]) -> Any: ...
    def add_bytes(self, number: int) -> None: ...
    def add_error(self) -> None: ...


class Metered(Protocol):
    """The context of an operation."""

    @property
    def budget(self) -> Meter: ...


class MeteredExecutor(Executor[Any]):
    """Executes in turns, and gives up an operation as a whole where it exceeds its budget.

    The context value of each operation is a `Metered`. The executor raises what its budget raises.
    """

    context_value: Metered

    @property
    def async_helpers(self) -> GraphQLResolveInfoHelpers:
        """Methods of this executor, which therefore does not keep them, as graphql-core's would.

        An executor that leads back to itself keeps its variables until the next collection.
        """
        return GraphQLResolveInfoHelpers(gather=self.gather_async_work, track=self.track_async_work)

    @async_helpers.setter
    def async_helpers(self, _: GraphQLResolveInfoHelpers) -> None:
        """Keep nothing."""

    def complete_list_value(
        self, return_type: Any, field_details_list: Any, info: Any, path: Path, result: Any, position_context: Any
    ) -> Any:
        """Complete the items of a long list, or of any once a turn is over, in turns, one after the other."""
        budget = self.context_value.budget
        if type(result) is list and (len(result) > _ITEMS_MIN or (result and budget.turn_is_over)):
            result = budget.in_turns(result)
        return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)

    def complete_leaf_value(self, return_type: Any, result: Any) -> Any:  # type: ignore[override]
        """Count the bytes of texts."""
        completed = Executor.complete_leaf_value(return_type, result)
        if isinstance(completed, Sized):
            self.context_value.budget.add_bytes(len(completed))
        return completed

    def handle_field_error(self, raw_error: Exception, return_type: Any, field_details_list: Any, path: Path) -> None:
        """Count errors; let those through that end the operation as a whole."""
        exceeded = self.context_value.budget.exceeded
        error = raw_error.original_error if isinstance(raw_error, GraphQLError) else raw_error
        if isinstance(error, exceeded):
            try:
                raise error
            finally:
                # An error whose traceback leads back to itself would keep all that was read until the next collection.
                del error, raw_error
        self.context_value.budget.add_error()
        try:
            super().handle_field_error(raw_error, return_type, field_details_list, path)
        except GraphQLError as located:
            # As above: graphql-core's frame names what it raises, and so would this one.
            located.__traceback__ = None
            del raw_error
            raise
