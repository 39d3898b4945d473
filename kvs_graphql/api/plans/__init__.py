"""Operations that need no executor: compiled once, run many times."""

from kvs_graphql.api.plans.arguments import NotPlain, Values
from kvs_graphql.api.plans.plans import Plan, Plans, Root
from kvs_graphql.api.plans.selections import Show

__all__ = ["NotPlain", "Plan", "Plans", "Root", "Show", "Values"]
