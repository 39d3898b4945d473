"""Makes the model of a schema. What does not map cleanly to GraphQL is JSON."""

from collections import deque
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from kvs_graphql.formats.errors import BadSchema, one_line
from kvs_graphql.formats.json_schema.documents import Documents, Place
from kvs_graphql.formats.json_schema.kinds import constant_of, is_null, kinds_of, leaf_of, values_leaf
from kvs_graphql.formats.json_schema.model import JSON, Entries, Items, Model, Property, Record, Union, Use, Words
from kvs_graphql.formats.limits import FormatLimits
from kvs_graphql.formats.names import part_name

_SUFFIXES = (".json", ".schema")

Parts = tuple[dict[str, Place], set[str]]
"""The properties of an object by their names, and which of them are required."""


class Modeller:
    """Walks through a schema from its root.

    A type that is met by a reference is named like what is referred to, any other one like the path from the type
    around it. The properties of records wait in a queue, so that chains of records need no deep calls.
    """

    def __init__(self, documents: Documents, root_name: str, limits: FormatLimits) -> None:
        """Make the model.

        Raises:
            BadSchema: The schema has too many types or fields, is nested too deep, or refers to what is not there.
        """
        self.names: dict[str, str] = {}
        """The names of all types, before they are made unique, by their keys."""
        self._documents = documents
        self._root_name = root_name
        self._limits = limits
        self._fields = 0
        self._steps = 0
        self._referred: dict[str, Use | None] = {}
        self._pending: deque[tuple[Record, Parts, str]] = deque()
        self.root_key, place = self._root_of(documents.root)
        self._root_schema = place.schema
        self.root = self._referred_use(self.root_key, place, 0)
        while self._pending:
            self._fill(*self._pending.popleft())

    def _root_of(self, place: Place) -> tuple[str, Place]:
        """The key of the root, and where it is: the schema may be no more than a reference to it."""
        keys = [f"{place.base}#"]
        while (reference := _reference(place.schema)) is not None:
            key, place = self._documents.find(place, reference)
            if key in keys:
                raise BadSchema("the schema refers to itself in a circle")
            keys.append(key)
        return keys[-1], place

    def _use(self, place: Place, name: str, key: str, depth: int) -> Use:
        """The model of a schema where it is used.

        Args:
            place: Where the schema is.
            name: The name of the type that it may become.
            key: What tells that type from all others.
            depth: How deep it is nested since the last record.
        """
        schema = place.schema
        if depth > self._limits.depth_max:
            raise BadSchema(f"the schema is nested deeper than {self._limits.depth_max}")
        if not isinstance(schema, dict):
            return JSON
        if (reference := _reference(schema)) is not None:
            target, found = self._documents.find(place, reference)
            return self._referred_use(self.root_key if found.schema is self._root_schema else target, found, depth + 1)
        if isinstance(values := schema.get("enum"), list) and values:
            return self._one_of(schema, values, name, key)
        if "const" in schema:
            return Use(values_leaf([schema["const"]]), is_null(schema))
        kinds = kinds_of(schema)
        nullable = kinds is None or "null" in kinds
        return self._typed(place, kinds, Use(JSON.model, nullable), name, key, depth)

    def _referred_use(self, target: str, place: Place, depth: int) -> Use:
        if target in self._referred:
            return self._referred[target] or JSON  # A circle without a record in it has no type in GraphQL.
        self._referred[target] = None
        name = self._root_name if target == self.root_key else part_name(self._root_name, _own_name(target))
        use = self._referred[target] = self._use(place, name, target, depth)
        return use

    def _typed(self, place: Place, kinds: set[str] | None, other: Use, name: str, key: str, depth: int) -> Use:
        """The model of a schema without values of its own; `other` if there is none for it."""
        schema, nullable = place.schema, other.nullable
        if kinds is not None and (leaf := leaf_of(schema, kinds - {"null"})) is not None:
            return Use(leaf, nullable)
        if (items := _items_of(schema, kinds)) is not None:
            item = self._use(self._documents.within(place, items), part_name(name, "item"), f"{key}[]", depth + 1)
            return Use(Items(item), nullable)
        if kinds is None or kinds - {"null"} == {"object"}:
            return self._object(place, other, name, key, depth) or self._combined(place, other, name, key, depth)
        return other

    def _object(self, place: Place, other: Use, name: str, key: str, depth: int) -> Use | None:
        schema = place.schema
        single = schema.get("allOf")
        if isinstance(single, list) and len(single) == 1 and not schema.get("properties"):
            use = self._use(self._documents.within(place, single[0]), name, key, depth + 1)
            return use if kinds_of(schema) is None else Use(use.model, use.nullable and other.nullable)
        parts = self._parts(place, depth)
        if parts is not None and parts[0]:
            return self._record(place, parts, other.nullable, name, key)
        if isinstance(more := schema.get("additionalProperties"), dict) and not _has_combination(schema):
            entries = Entries(key, JSON)
            use = Use(entries, other.nullable)
            self._name(entries, key, f"{name}Entry", use)
            entries.value = self._use(
                self._documents.within(place, more), part_name(name, "value"), f"{key}{{}}", depth + 1
            )
            return use
        return None

    def _combined(self, place: Place, other: Use, name: str, key: str, depth: int) -> Use:
        """The model of `oneOf` or `anyOf`."""
        schema = place.schema
        keyword = next((word for word in ("oneOf", "anyOf") if isinstance(schema.get(word), list)), None)
        if keyword is None:
            return other
        all_branches = [self._documents.within(place, branch) for branch in schema[keyword]]
        branches = [branch for branch in all_branches if not is_null(branch.schema)]
        nullable = len(branches) < len(all_branches) and other.nullable
        if len(branches) == 1:
            use = self._use(branches[0], name, key, depth + 1)
            return Use(use.model, use.nullable or nullable)
        return self._union(place, branches, nullable, name, key, depth) or other

    def _union(
        self, place: Place, branches: Sequence[Place], nullable: bool, name: str, key: str, depth: int
    ) -> Use | None:
        parts = [self._parts(branch, depth + 1) for branch in branches]
        tags = [{} if one is None else self._constants(one) for one in parts]
        shared = [tag for tag in sorted(tags[0] if tags else ()) if all(tag in one for one in tags)]
        shared = [tag for tag in shared if len({one[tag] for one in tags}) == len(tags)]
        if not shared:
            return None
        hint = place.schema.get("discriminator")
        hinted = hint.get("propertyName") if isinstance(hint, dict) else None
        union = Union(key, hinted if hinted in shared else shared[0], _text(place.schema, "description"))
        self._name(union, key, name, use := Use(union, nullable))
        for branch, constants in zip(branches, tags, strict=True):
            word = constants[union.tag]
            member = self._use(branch, part_name(name, word), f"{key}|{word}", depth + 1).model
            if not isinstance(member, Record):
                raise BadSchema(f"the members of {one_line(name)} refer to each other in a circle")
            union.members[word] = member
        return use

    def _constants(self, parts: Parts) -> dict[str, str]:
        """The required properties of an object that can be one word only."""
        properties, required = parts
        constants = {key: constant_of(self._end(place).schema) for key, place in properties.items() if key in required}
        return {key: constant for key, constant in constants.items() if constant is not None}

    def _end(self, place: Place) -> Place:
        """Where a chain of references ends."""
        seen = set()
        while (reference := _reference(place.schema)) is not None:
            key, place = self._documents.find(place, reference)
            if key in seen:
                break
            seen.add(key)
        return place

    def _parts(self, place: Place, depth: int) -> Parts | None:
        """The properties of an object, with those of all in `allOf`; None if it is no such object."""
        place = self._end(place)
        schema = place.schema
        kinds = kinds_of(schema)
        self._step()
        if not isinstance(schema, dict) or depth > self._limits.depth_max or "enum" in schema or "const" in schema:
            return None
        if kinds is not None and (kinds - {"null", "object"} or "object" not in kinds):
            return None
        properties: dict[str, Place] = {}
        required: set[str] = set()
        together = schema.get("allOf")
        for branch in together if isinstance(together, list) else ():
            found = self._parts(self._documents.within(place, branch), depth + 1)
            if found is None:
                return None
            properties |= found[0]
            required |= found[1]
        own = schema.get("properties")
        if isinstance(own, dict):
            properties |= {key: self._documents.within(place, one) for key, one in own.items()}
        self._step(len(properties))
        names = schema.get("required")
        return properties, required | {one for one in names if isinstance(one, str)} if isinstance(
            names, list
        ) else required

    def _record(self, place: Place, parts: Parts, nullable: bool, name: str, key: str) -> Use:
        record = Record(key, _text(place.schema, "description"))
        use = Use(record, nullable)
        self._name(record, key, name, use)
        self._pending.append((record, parts, name))
        return use

    def _fill(self, record: Record, parts: Parts, name: str) -> None:
        properties, required = parts
        self._count(len(properties))
        for key, place in properties.items():
            use = self._use(place, part_name(name, key), f"{record.key}/{key}", 0)
            end = self._end(place).schema
            record.properties.append(
                Property(
                    key,
                    use,
                    key in required,
                    constant_of(end),
                    _text(place.schema, "description"),
                    isinstance(place.schema, dict) and place.schema.get("deprecated") is True,
                )
            )

    def _one_of(self, schema: dict[str, Any], values: list[Any], name: str, key: str) -> Use:
        kinds = kinds_of(schema)
        nullable = None in values and (kinds is None or "null" in kinds)
        present = [value for value in values if value is not None]
        words = tuple(dict.fromkeys(value for value in present if isinstance(value, str)))
        if len(words) < len(present) or not words:
            return Use(values_leaf(present), nullable)
        self._count(len(words))
        model = Words(key, words, _text(schema, "description"))
        self._name(model, key, name, use := Use(model, nullable))
        return use

    def _name(self, model: Model, key: str, name: str, use: Use) -> None:
        """Note a type before its parts are known, which may refer to it."""
        self.names[key] = name
        if key in self._referred:
            self._referred[key] = use
        if len(self.names) > self._limits.schema_types_max:
            raise BadSchema(f"the schema has more than {self._limits.schema_types_max:,} types")

    def _step(self, steps: int = 1) -> None:
        """Bound the work for combinations of combinations."""
        self._steps += steps
        if self._steps > self._limits.schema_fields_max * 10:
            raise BadSchema("the schema combines too many schemas")

    def _count(self, fields: int) -> None:
        self._fields += fields
        if self._fields > self._limits.schema_fields_max:
            raise BadSchema(f"the schema has more than {self._limits.schema_fields_max:,} fields and values")


def _reference(schema: Any) -> str | None:
    reference = schema.get("$ref") if isinstance(schema, dict) else None
    return reference if isinstance(reference, str) else None


def _items_of(schema: dict[str, Any], kinds: set[str] | None) -> dict[str, Any] | None:
    """The schema of all items, where it is one and the values are lists."""
    is_list = "properties" not in schema if kinds is None else kinds - {"null"} == {"array"}
    items = schema.get("items")
    return items if is_list and isinstance(items, dict) and "prefixItems" not in schema else None


def _has_combination(schema: dict[str, Any]) -> bool:
    return any(word in schema for word in ("allOf", "anyOf", "oneOf"))


def _own_name(address: str) -> str:
    """The last part of an address, without what says that it is JSON."""
    url, _, fragment = address.partition("#")
    name = (
        unquote(fragment).rpartition("/")[2]
        if fragment.strip("/")
        else url.rstrip("/").replace(":", "/").rpartition("/")[2]
    )
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def _text(schema: Any, keyword: str) -> str:
    text = schema.get(keyword) if isinstance(schema, dict) else None
    return text.strip() if isinstance(text, str) else ""
