"""Documents for the only table of a service, asked of a named table instead: so one test is of both.

Root fields get the name of the table and an alias of their name without it, so answers have the same shape.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterator

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    InlineFragmentNode,
    NamedTypeNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    Visitor,
    parse,
    visit,
)

_ROOT_FIELDS = frozenset({"value", "values", "entries", "updates", "set", "delete"})
_ROOT_TYPES = frozenset({"Query", "Subscription", "Mutation"})
_TYPES = frozenset({"Entry", "Update", "Revision", "Write", "EntryEdge", "EntryConnection"})


def of_table(document: str, table: str) -> str:
    """The document with the fields and types of the table with that name; as it is if that is empty, or it is wrong."""
    if not table:
        return document
    try:
        parsed = parse(document)
    except GraphQLError:
        return document
    finder = _Finder(table)
    visit(parsed, finder)
    text = document
    for node, replacement in sorted(finder.found, key=lambda found: -_start(found[0])):
        assert node.loc is not None
        text = text[: node.loc.start] + replacement + text[node.loc.end :]
    return text


def id_of(key: bytes, table: str) -> str:
    """The `id` of an entry of the table with that name, which may be empty."""
    return urlsafe_b64encode(f"{table}\0".encode() + key if table else key).rstrip(b"=").decode()


def _start(node: Node) -> int:
    assert node.loc is not None
    return node.loc.start


class _Finder(Visitor):
    """Finds the names to replace."""

    def __init__(self, table: str) -> None:
        super().__init__()
        self._table = table
        self.found: list[tuple[Node, str]] = []

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: object) -> None:
        self.found += self._fields(node.selection_set)

    def enter_fragment_definition(self, node: FragmentDefinitionNode, *_: object) -> None:
        if node.type_condition.name.value in _ROOT_TYPES:
            self.found += self._fields(node.selection_set)

    def enter_named_type(self, node: NamedTypeNode, *_: object) -> None:
        if node.name.value in _TYPES:
            self.found.append((node.name, f"{self._table[0].upper()}{self._table[1:]}{node.name.value}"))

    def _fields(self, selections: SelectionSetNode) -> Iterator[tuple[Node, str]]:
        for selection in selections.selections:
            if isinstance(selection, InlineFragmentNode):
                yield from self._fields(selection.selection_set)
            elif isinstance(selection, FieldNode) and selection.name.value in _ROOT_FIELDS:
                name = selection.name.value
                named = f"{self._table}{name[0].upper()}{name[1:]}"
                yield selection.name, named if selection.alias else f"{name}: {named}"
