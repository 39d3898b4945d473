"""The codec of JSON Schema: from JSON text to its values, and back."""

from typing import Any

from kvs_graphql.formats.codec import Check, SchemaText
from kvs_graphql.formats.errors import BadSchema, one_line
from kvs_graphql.formats.json_schema.branching import Branching
from kvs_graphql.formats.json_schema.documents import Documents
from kvs_graphql.formats.json_schema.encoding import Encoder
from kvs_graphql.formats.json_schema.evolution import cannot_read
from kvs_graphql.formats.json_schema.model import Entries, Items, Leaf, Model, Record, Union, Use
from kvs_graphql.formats.json_schema.modelling import Modeller
from kvs_graphql.formats.json_schema.names import names_of
from kvs_graphql.formats.json_schema.shaping import Shaper
from kvs_graphql.formats.json_schema.text import (
    Document,
    Root,
    may_be_too_large,
    misshapen,
    one_line_text,
    parsed,
    too_large,
)
from kvs_graphql.formats.json_schema.validation import Validator
from kvs_graphql.formats.limits import FormatLimits
from kvs_graphql.formats.shapes import ScalarKind, Shape


def json_schema_codec(
    schema: SchemaText, name: str, reserved: frozenset[str], limits: FormatLimits
) -> "JsonSchemaCodec":
    """The codec of a schema.

    Args:
        name: The root's name in GraphQL.
        reserved: Names that the schema's other types must not get.

    Raises:
        BadSchema: The schema cannot be used.
    """
    return JsonSchemaCodec(schema, name, reserved, limits)


class JsonSchemaCodec:
    """Reads JSON by a schema's shape, and writes what the whole schema allows.

    Values are not validated when they are read. A part that does not have its shape is an error where it is asked for,
    and nowhere else.
    """

    converts_to_json = False

    def __init__(self, schema: SchemaText, name: str, reserved: frozenset[str], limits: FormatLimits) -> None:
        """Make the shape and the validator.

        Raises:
            BadSchema: The schema cannot be used.
        """
        self._limits = limits
        # Each level of nesting takes two bytes at least, each item as well.
        self._free_bytes = 2 * min(limits.depth_max, limits.items_max)
        documents = Documents(schema, limits)
        validator = Validator(documents, Branching(documents))
        modeller = Modeller(documents, name, limits)
        names = names_of(modeller, name, reserved)
        self._root = modeller.root
        self._has_properties = isinstance(self._root.model, Record | Union)
        self._is_exact = not self._has_properties or _has_json(self._root)
        self._encoder = Encoder(self._root, names, validator)
        self.shape: Shape = Shaper(names).root(self._root)

    def parse(self, schema: SchemaText) -> None:
        """Check that the shape has room for what a writer's schema allows. Values are read without it.

        Raises:
            BadSchema: It is not a schema, or it allows values that this one's shape has no room for.
        """
        documents = Documents(schema, self._limits)
        Validator(documents, Branching(documents))
        if (reason := cannot_read(self._root, Modeller(documents, "Writer", self._limits).root)) is not None:
            raise BadSchema(one_line(reason))

    def decode(self, payload: bytes, writer: None = None, check: Check = None) -> Document | Root:
        """The parsed value with its text. Whether it has the shape turns out when it is read.

        Raises:
            Undecodable: The bytes are not JSON.
        """
        try:
            value = parsed(payload, self._is_exact)
            problem = None
            if len(payload) > self._free_bytes and may_be_too_large(payload, self._limits):
                problem = too_large(value, self._limits)
        except RecursionError:
            value, problem = None, f"it is nested deeper than {self._limits.depth_max}"
        if problem is not None:
            return misshapen(payload, problem)
        if not self._has_properties:
            return Root(value, payload)
        if value.__class__ is not dict:
            return misshapen(payload, "the value is not an object")
        document = Document(value)
        document.text = payload
        return document

    def encode(self, value: Any) -> bytes:
        """The text of an input.

        Raises:
            DoesNotFit: The schema does not allow the value.
        """
        return self._encoder.encode(value)

    def as_json(self, decoded: Document | Root, check: Check = None) -> bytes:
        """The text as it was written, in one line."""
        return one_line_text(decoded.text)


def _has_json(root: Use) -> bool:
    """Whether some part is shown as it was written."""
    pending: list[Model] = [root.model]
    seen = set()
    while pending:
        model = pending.pop()
        if id(model) in seen:
            continue
        seen.add(id(model))
        match model:
            case Leaf(kind=ScalarKind.JSON):
                return True
            case Items():
                pending.append(model.item.model)
            case Entries():
                pending.append(model.value.model)
            case Record():
                pending.extend(one.use.model for one in model.properties)
            case Union():
                pending.extend(model.members.values())
    return False
