"""What fields cost, stated in the schema with the directives of the GraphQL cost specification.

A field of an object costs 1, or its `@cost`; all below a list costs as much for each of its items. `@listSize` says how
many items a list has at most.
"""

import strawberry
from strawberry import UNSET
from strawberry.schema_directive import Location


@strawberry.schema_directive(locations=[Location.FIELD_DEFINITION], description="What a field costs, instead of 1.")
class Cost:
    weight: str


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="How many items a list has at most: the greatest of the arguments named, or the length of one that is "
    "a list; else `assumedSize`. With `sizedFields`, the size is of these fields of the object.",
)
class ListSize:
    assumed_size: int | None = UNSET
    slicing_arguments: list[str] | None = UNSET
    sized_fields: list[str] | None = UNSET


def sized_by(*arguments: str, assumed: int | None = UNSET, fields: list[str] | None = UNSET) -> ListSize:
    """The directive of a list whose size the arguments of these names say; `assumed` where none of them is given."""
    return ListSize(assumed_size=assumed, slicing_arguments=list(arguments) or UNSET, sized_fields=fields)
