"""Makes JSON of GraphQL's inputs, and names what does not fit by GraphQL's names."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from kvs_graphql.formats.errors import DoesNotFit, one_line
from kvs_graphql.formats.json_schema.kinds import INT64_MAX
from kvs_graphql.formats.json_schema.model import Entries, Items, Leaf, Model, Record, Union, Use, Words
from kvs_graphql.formats.json_schema.names import Names
from kvs_graphql.formats.json_schema.validation import Validator
from kvs_graphql.formats.shapes import ScalarKind

_DEPTH_MAX = 254
"""What orjson writes: what is nested deeper could not be shown again."""


class Encoder:
    """Encodes values of one model."""

    def __init__(self, root: Use, names: Names, validator: Validator) -> None:
        self._root = root
        self._validator = validator
        self._names = names
        self._words = {
            key: {name: word for word, name in of.items()} for key, of in (*names.words.items(), *names.members.items())
        }

    def encode(self, value: Any) -> bytes:
        """The text of an input.

        Raises:
            DoesNotFit: The schema has no room for the value.
        """
        made = self._value(self._root.model, value, "")
        problem = self._validator.problem(made)
        if problem is not None:
            path, reason = problem
            raise DoesNotFit(one_line(_at(self._path(path, made), reason)))
        try:
            return orjson.dumps(made)
        except orjson.JSONEncodeError:
            return _dumped_slowly(made)

    def _value(self, model: Model, value: Any, path: str) -> Any:
        if value is None:
            return None
        match model:
            case Words():
                made: Any = self._word(model, value, path)
            case Items():
                made = self._items(model, value, path)
            case Entries():
                made = self._entries(model, value, path)
            case Record():
                made = self._record(model, value, path)
            case Union():
                made = self._member(model, value, path)
            case Leaf(kind=ScalarKind.INT64) if isinstance(value, int) and value > INT64_MAX:
                raise DoesNotFit(_at(path, "is an integer of more than 64 bits with its sign"))
            case Leaf():
                made = str(value) if isinstance(value, UUID) else value
        return made

    def _word(self, model: Words, value: Any, path: str) -> str:
        words = self._words[model.key]
        if value not in words:
            raise DoesNotFit(_at(path, f"must be one of the enumeration's values, not {value!r:.100}"))
        return words[value]

    def _items(self, model: Items, value: Any, path: str) -> list[Any]:
        _require(value, list, "a list", path)
        return [self._value(model.item.model, item, f"{path}[{index}]") for index, item in enumerate(value)]

    def _entries(self, model: Entries, value: Any, path: str) -> dict[str, Any]:
        _require(value, list, "a list of entries", path)
        made: dict[str, Any] = {}
        for index, entry in enumerate(value):
            if entry["key"] in made:
                raise DoesNotFit(_at(f"{path}[{index}].key", "is there twice"))
            made[entry["key"]] = self._value(model.value.model, entry.get("value"), f"{path}[{index}].value")
        return made

    def _record(self, record: Record, value: Any, path: str) -> dict[str, Any]:
        _require(value, Mapping, "an object", path)
        names = self._names.fields[record.key]
        made: dict[str, Any] = {}
        for one in record.properties:
            name = names[one.key]
            given = value.get(name)
            if given is not None:
                made[one.key] = self._value(one.use.model, given, _within(path, name))
            elif one.use.nullable and (name in value or one.required):
                made[one.key] = None
            elif one.required and one.constant is not None:
                made[one.key] = one.constant
        if unknown := value.keys() - names.values():
            raise DoesNotFit(_at(_within(path, min(unknown)), "is not in the schema"))
        return made

    def _member(self, union: Union, value: Any, path: str) -> Any:
        _require(value, Mapping, "an object", path)
        given = [(name, one) for name, one in value.items() if one is not None]
        words = self._words[union.key]
        if len(given) != 1 or given[0][0] not in words:
            raise DoesNotFit(_at(path, f"must have exactly one of {', '.join(words)}"))
        name, one = given[0]
        return self._record(union.members[words[name]], one, _within(path, name))

    def _path(self, steps: Sequence[str | int], value: Any) -> str:
        """A path of the schema in GraphQL's names, as far as they go."""
        path = ""
        model: Model | None = self._root.model
        for step in steps:
            match model:
                case Union() if isinstance(value, dict) and (word := value.get(model.tag)) in model.members:
                    path = _within(path, self._names.members[model.key][word])
                    model = model.members[word]
            match model:
                case Record() if step in (names := self._names.fields[model.key]):
                    path = _within(path, names[str(step)])
                    model = next(one.use.model for one in model.properties if one.key == step)
                case Entries() if isinstance(value, dict):
                    path = f"{path}[{list(value).index(str(step))}].value"
                    model = model.value.model
                case _:
                    path = f"{path}[{step}]" if isinstance(step, int) else _within(path, step)
                    model = model.item.model if isinstance(model, Items) else None
            value = value[step]
        return path


def _require(value: Any, kind: type, word: str, path: str) -> None:
    if not isinstance(value, kind):
        raise DoesNotFit(_at(path, f"must be {word}"))


def _within(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _at(path: str, reason: str) -> str:
    return f"{path}: {reason}" if path else reason


def _dumped_slowly(value: Any) -> bytes:
    """The text of a value with integers of more than 64 bits."""
    if _is_deep(value):
        raise DoesNotFit(f"is nested deeper than {_DEPTH_MAX}")
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, TypeError) as error:
        raise DoesNotFit(one_line(error)) from None


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEPTH_MAX + 1):
        level = [part for one in level if isinstance(one, dict | list) for part in _parts(one)]
    return bool(level)


def _parts(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value
