"""How much work a schema makes of one value.

Validation follows references and combinations (`allOf`, `anyOf`, …) of the same part of a value. So a small schema can
ask for exponential work.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from kvs_graphql.formats.errors import BadSchema
from kvs_graphql.formats.json_schema.documents import Documents, Place

_ALTERNATIVES = ("anyOf", "oneOf")
_IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
_IN_PLACE_BY_NAME = ("dependentSchemas", "dependencies")
_WITHIN = (
    *("items", "prefixItems", "additionalItems", "contains", "unevaluatedItems"),
    *("additionalProperties", "propertyNames", "unevaluatedProperties"),
)
_WITHIN_BY_NAME = ("properties", "patternProperties")
_STEPS_MAX = 10_000
_DEPTH_MAX = 100


class Branching:
    """Measures a schema from its root."""

    def __init__(self, documents: Documents) -> None:
        """Walk through all parts.

        Raises:
            BadSchema: One part of a value takes too many steps, or the schema refers to what is not there.
        """
        self._documents = documents
        self._steps: dict[int, int] = {}
        self._alternatives: dict[int, list[int]] = {}
        self._leads_from: dict[int, list[int]] = defaultdict(list)
        pending = [documents.root]
        seen = {id(documents.root.schema)}
        while pending:
            place = pending.pop()
            if self._count(place, 0) > _STEPS_MAX:
                raise BadSchema(f"the schema combines more than {_STEPS_MAX:,} schemas in one place")
            for part in (*self._in_place(place), *self._within(place)):
                self._leads_from[id(part.schema)].append(id(place.schema))
                if id(part.schema) not in seen:
                    seen.add(id(part.schema))
                    pending.append(part)
            self._note_alternatives(place)

    @property
    def multiplies(self) -> bool:
        """Whether alternatives lead to further alternatives in more than one of their branches."""
        leading = set(self._alternatives)
        pending = list(leading)
        while pending:
            new = [one for one in self._leads_from[pending.pop()] if one not in leading]
            leading.update(new)
            pending.extend(new)
        return any(sum(one in leading for one in branches) > 1 for branches in self._alternatives.values())

    def _count(self, place: Place, depth: int) -> int:
        """How many schemas apply to the same part of a value. A circle counts once."""
        key = id(place.schema)
        if key in self._steps:
            return self._steps[key]
        if depth > _DEPTH_MAX:
            raise BadSchema(f"the schema combines schemas deeper than {_DEPTH_MAX}")
        self._steps[key] = 1
        steps = 1 + sum(self._count(part, depth + 1) for part in self._in_place(place))
        self._steps[key] = min(steps, _STEPS_MAX + 1)
        return self._steps[key]

    def _note_alternatives(self, place: Place) -> None:
        schema = place.schema
        for keyword in _ALTERNATIVES:
            branches = schema.get(keyword) if isinstance(schema, dict) else None
            if isinstance(branches, list) and len(branches) > 1:
                self._alternatives.setdefault(id(schema), []).extend(map(id, branches))

    def _in_place(self, place: Place) -> Iterator[Place]:
        schema = place.schema
        if isinstance(schema, dict):
            if isinstance(reference := schema.get("$ref"), str):
                yield self._documents.find(place, reference)[1]
            yield from self._parts(place, _IN_PLACE, _IN_PLACE_BY_NAME)

    def _within(self, place: Place) -> Iterator[Place]:
        if isinstance(place.schema, dict):
            yield from self._parts(place, _WITHIN, _WITHIN_BY_NAME)

    def _parts(self, place: Place, keywords: tuple[str, ...], by_name: tuple[str, ...]) -> Iterator[Place]:
        found: list[Any] = []
        for keyword in keywords:
            part = place.schema.get(keyword)
            found.extend(part if isinstance(part, list) else [part])
        for keyword in by_name:
            parts = place.schema.get(keyword)
            found.extend(parts.values() if isinstance(parts, dict) else ())
        yield from (self._documents.within(place, part) for part in found if isinstance(part, dict))
