"""The documents of a schema, and what its references lead to. Nothing is ever fetched."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

import orjson

from kvs_graphql.formats.codec import SchemaText
from kvs_graphql.formats.errors import BadSchema, one_line
from kvs_graphql.formats.limits import FormatLimits, require_size

NO_BASE = "json-schema:///"
"""What jsonschema_rs has as the base of documents without an address."""
_DEPTH_MAX = 200
_DRAFT_4 = "http://json-schema.org/draft-04/schema"


@dataclass(frozen=True, slots=True)
class Place:
    """A schema within a document."""

    schema: Any
    base: str
    """The address that its references are relative to."""


class Documents:
    """A schema and the documents that it refers to, by their addresses."""

    def __init__(self, schema: SchemaText, limits: FormatLimits) -> None:
        """Parse all documents.

        Raises:
            BadSchema: One of them is no JSON, or they are too large.
        """
        require_size(schema, limits)
        self._places: dict[str, Place] = {}
        self._names: dict[str, str] = {}
        root = _parsed(schema.text, "the schema")
        self._id = "id" if isinstance(root, dict) and str(root.get("$schema")).startswith(_DRAFT_4) else "$id"
        base = self._base_of(root, "")
        self.root = Place(root, base)
        for name, text in schema.all_references().items():
            document = _parsed(text, f"the reference {one_line(name)}")
            address = _joined(base, name)[0]
            self._add(document, self._base_of(document, address))
            self._names.setdefault(name, address)
            self._places.setdefault(address, Place(document, self._base_of(document, address)))
        self._add(root, base)

    def find(self, place: Place, reference: str) -> tuple[str, Place]:
        """The full address that a reference leads to, and what is there.

        Raises:
            BadSchema: Nothing is there.
        """
        url, fragment = _joined(place.base, reference)
        document = self._document(url)
        if document is None:
            raise BadSchema(f"the schema refers to {one_line(reference)}, which is not among its references")
        if fragment and not fragment.startswith("/"):
            found = self._places.get(f"{url}#{fragment}")
        else:
            found = self._pointed(document, unquote(fragment))
        if found is None:
            raise BadSchema(f"the schema refers to {one_line(reference)}, where nothing is")
        return f"{url}#{fragment}", found

    def retrieve(self, address: str) -> Any:
        """The document at an address, for jsonschema_rs.

        Raises:
            BadSchema: There is none.
        """
        document = self._document(address.removeprefix(NO_BASE))
        if document is None:
            raise BadSchema(f"the schema refers to {one_line(address)}, which is not among its references")
        return document.schema

    def within(self, place: Place, schema: Any) -> Place:
        """A schema that is a part of another one."""
        return Place(schema, self._base_of(schema, place.base))

    def _document(self, url: str) -> Place | None:
        return self._places.get(url) or self._places.get(self._names.get(url, url))

    def _pointed(self, document: Place, pointer: str) -> Place | None:
        place = document
        for token in pointer.split("/")[1:]:
            key = token.replace("~1", "/").replace("~0", "~")
            schema = place.schema
            if isinstance(schema, dict) and key in schema:
                place = self.within(place, schema[key])
            elif isinstance(schema, list) and key.isdecimal() and int(key) < len(schema):
                place = self.within(place, schema[int(key)])
            else:
                return None
        return place

    def _base_of(self, schema: Any, base: str) -> str:
        own = schema.get(self._id) if isinstance(schema, dict) else None
        return _joined(base, own)[0] if isinstance(own, str) and not own.startswith("#") else base

    def _add(self, document: Any, base: str) -> None:
        """Note all addresses that a document and its parts give themselves."""
        self._places.setdefault(base, Place(document, base))
        pending = [(document, base, 0)]
        while pending:
            schema, outer, depth = pending.pop()
            if depth > _DEPTH_MAX:
                raise BadSchema(f"the schema is nested deeper than {_DEPTH_MAX}")
            if isinstance(schema, list):
                pending.extend((part, outer, depth + 1) for part in schema)
            elif isinstance(schema, dict):
                own = self._base_of(schema, outer)
                if own != outer:
                    self._places.setdefault(own, Place(schema, own))
                for anchor in (schema.get("$anchor"), schema.get("$dynamicAnchor"), schema.get(self._id)):
                    if isinstance(anchor, str) and (anchor.startswith("#") or anchor is not schema.get(self._id)):
                        self._places.setdefault(f"{own}#{anchor.removeprefix('#')}", Place(schema, own))
                pending.extend((part, own, depth + 1) for part in schema.values())


def _joined(base: str, reference: str) -> tuple[str, str]:
    """The address that a reference leads to, and its fragment."""
    try:
        url, fragment = urldefrag(urljoin(base, reference))
    except ValueError:
        raise BadSchema(f"{one_line(reference)} is not an address") from None
    return url, fragment


def _parsed(text: str, what: str) -> Any:
    try:
        parsed = orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
        raise BadSchema(f"{what} is not JSON: {one_line(error)}") from None
    if not isinstance(parsed, dict | bool):
        raise BadSchema(f"{what} is neither an object nor true or false")
    return parsed
