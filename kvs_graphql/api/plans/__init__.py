"""Operations that need no executor: compiled once, run many times."""

from kvs_graphql.api.plans.arguments import NotPlain, Values
from kvs_graphql.api.plans.plans import Paged, Plan, Plans
from kvs_graphql.api.plans.streams import Payload, Send, Streams

__all__ = ["NotPlain", "Paged", "Payload", "Plan", "Plans", "Send", "Streams", "Values"]
