"""Results as clients see them, each within its budget."""

from collections.abc import Awaitable, Sequence

from graphql import GraphQLError

from kvs_graphql.budget import Budget, Workload
from kvs_graphql.errors import BudgetExceeded
from kvs_graphql.executor.compiled import Result
from kvs_graphql.executor.encoding import Data, encode_result, encoded_in_turns
from kvs_graphql.executor.errors import present
from kvs_graphql.metrics import Metrics


class Results:
    """Finishes what the back ends found: presents its errors, and encodes what is large in turns."""

    def __init__(self, workload: Workload, metrics: Metrics) -> None:
        self._workload = workload
        self._metrics = metrics
        self.renderings = metrics.renderings

    async def finished(self, result: Result, budget: Budget) -> tuple[Data, list[GraphQLError]]:
        """Data and errors as clients see them.

        Raises:
            BudgetExceeded: There are more bytes than a response may have, or it takes too long.
        """
        errors = await self._presented(result.errors, budget)
        if not result.in_turns or result.data is None:
            return result.data, errors
        return await encoded_in_turns(result.data, budget), errors

    @property
    def bytes_max(self) -> int:
        """How many bytes an event may have."""
        return self._workload.limits.response_bytes_max

    def new_budget(self) -> Budget:
        """The budget of one more event."""
        return Budget(self._workload)

    async def of_event(self, completing: Awaitable[Result], budget: Budget) -> bytes:
        """The JSON of an event; a subscription goes on after one that exceeds its budget."""
        self.renderings.count += 1
        try:
            result = encode_result(*await self.finished(await completing, budget))
            budget.check_bytes(len(result))
        except BudgetExceeded as error:
            refused = GraphQLError(str(error), original_error=error)
            result = encode_result(None, present([refused], self._metrics))
        finally:
            budget.end()
        return result

    async def _presented(self, errors: Sequence[GraphQLError], budget: Budget) -> list[GraphQLError]:
        presented: list[GraphQLError] = []
        async for error in budget.in_turns(errors):
            presented += present([error], self._metrics)
        return presented
