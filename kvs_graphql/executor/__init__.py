"""The executor: from a request to its results, the same way on every transport."""

from kvs_graphql.executor.compiled import Given
from kvs_graphql.executor.documents import Fault, PreparedOperation, Refusal
from kvs_graphql.executor.executor import ClientGone, Executed, Executor, Outcome, Request, ResultSink
from kvs_graphql.executor.limits import DocumentLimits, ExecutorLimits
from kvs_graphql.executor.policy import DocumentPolicy, check_hashes
from kvs_graphql.executor.rendering import Payload

__all__ = [
    "ClientGone",
    "DocumentLimits",
    "DocumentPolicy",
    "Executed",
    "Executor",
    "ExecutorLimits",
    "Fault",
    "Given",
    "Outcome",
    "Payload",
    "PreparedOperation",
    "Refusal",
    "Request",
    "ResultSink",
    "check_hashes",
]
