"""GraphQL types of typed data, made from the shapes of schemas."""

from kvs_graphql.api.typed.outputs import ChoiceUnion, Part

__all__ = ["ChoiceUnion", "Part"]
