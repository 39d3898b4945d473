"""The limits of a document, checked in time linear in its length.

Strawberry's own limiters follow every spread of a fragment: a document of n fragments that each spread the next one
twice takes them 2**n steps.
"""

from dataclasses import dataclass

from graphql import (
    ASTValidationRule,
    FieldNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValidationContext,
)

from kvs_graphql.budget import BudgetLimits
from kvs_graphql.executor.policy import ALLOW_ALL, DocumentPolicy

_Measure = tuple[int, int]
"""Levels of fields below, and aliases in it."""
_NOTHING: _Measure = (0, 0)

_INTROSPECTION_DEPTH_MAX = 32
"""Introspection is deep by nature: tools ask for 15 nested types. Lists in lists, which make it grow, are limited by
graphql-core's own rule."""


@dataclass(frozen=True, slots=True)
class ExecutorLimits:
    """The limits of an executor."""

    documents: "DocumentLimits"
    budgets: BudgetLimits
    json_bytes_max: int
    render_cache_bytes_max: int
    slow_operation_seconds: float
    """Operations that take longer are logged."""
    policy: DocumentPolicy = ALLOW_ALL


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """What a document may look like, before anything of it is executed."""

    bytes_max: int
    depth_max: int
    aliases_max: int
    tokens_max: int


def document_limiter(limits: DocumentLimits) -> type[ASTValidationRule]:
    """A rule that refuses operations that are too deep, and documents with too many aliases."""

    class DocumentLimiter(_DocumentLimiter):
        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context, limits)

    return DocumentLimiter


class _DocumentLimiter(ASTValidationRule):
    def __init__(self, context: ValidationContext, limits: DocumentLimits) -> None:
        super().__init__(context)
        self._fragments: dict[str, _Measure] = {}
        self._introspection_depth = 0
        try:
            measures = [
                self._of(definition.selection_set)
                for definition in context.document.definitions
                if isinstance(definition, OperationDefinitionNode)
            ]
        except RecursionError:
            context.report_error(GraphQLError("The document's fragments spread each other too deeply."))
            return
        depth, aliases = max((d for d, _ in measures), default=0), sum(a for _, a in measures)
        if depth > limits.depth_max:
            message = f"The document is {depth} levels deep; the limit is {limits.depth_max}."
            context.report_error(GraphQLError(message))
        if self._introspection_depth > _INTROSPECTION_DEPTH_MAX:
            message = f"The introspection is {self._introspection_depth} levels deep; "
            context.report_error(GraphQLError(f"{message}the limit is {_INTROSPECTION_DEPTH_MAX}."))
        if aliases > limits.aliases_max:
            message = f"The document has {aliases} aliases; the limit is {limits.aliases_max}."
            context.report_error(GraphQLError(message))

    def _of(self, selections: SelectionSetNode | None) -> _Measure:
        depth = aliases = 0
        for selection in selections.selections if selections else ():
            below = self._of_one(selection)
            depth, aliases = max(depth, below[0]), aliases + below[1]
        return depth, aliases

    def _of_one(self, selection: SelectionNode) -> _Measure:
        if isinstance(selection, FragmentSpreadNode):
            return self._of_fragment(selection.name.value)
        assert isinstance(selection, FieldNode | InlineFragmentNode)
        depth, aliases = self._of(selection.selection_set)
        if isinstance(selection, InlineFragmentNode):
            return depth, aliases
        aliases += selection.alias is not None
        if selection.name.value.startswith("__"):
            self._introspection_depth = max(self._introspection_depth, depth)
            return 0, aliases
        return depth + 1 if selection.selection_set is not None else 0, aliases

    def _of_fragment(self, name: str) -> _Measure:
        if name not in self._fragments:
            # A fragment that spreads itself counts as empty; another rule refuses it.
            self._fragments[name] = _NOTHING
            definition = self.context.get_fragment(name)
            self._fragments[name] = self._of(definition.selection_set) if definition else _NOTHING
        return self._fragments[name]
