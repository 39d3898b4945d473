"""Prepared documents: parsed, validated, limited, and compiled where possible; once for each text."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    Node,
    OperationDefinitionNode,
    OperationType,
    ValidationRule,
    parse,
    specified_rules,
    validate,
)

from kvs_graphql.executor.compiled import CompiledOperation, NotCompilable, compile_operation
from kvs_graphql.executor.limits import DocumentLimits, document_limiter
from kvs_graphql.executor.policy import ALLOW_ALL, DocumentPolicy
from kvs_graphql.executor.prices import Price, price_of
from kvs_graphql.executor.streams import Streams

T = TypeVar("T")

_CACHED_CHARACTERS_MAX = 512 * 1024
_DOCUMENT_CACHED_CHARACTERS_MAX = 64 * 1024
# Longer documents can take tens of milliseconds.
_SHORT_CHARACTERS_MAX = 500
# A prepared document takes about 300 bytes per character, and a fixed amount that equals some 32 characters.
_CHARACTERS_PER_DOCUMENT = 32


class Fault(Enum):
    """Whose fault it is that nothing was executed."""

    REQUEST = auto()
    """The request names no operation, or none that can be executed over its transport."""
    DOCUMENT = auto()
    """The document, or the values of its variables, are not valid."""
    SERVICE = auto()
    """An error of this service."""


class Refusal(NamedTuple):
    """Why nothing of a request was executed."""

    errors: list[GraphQLError]
    fault: Fault

    @property
    def field_names(self) -> set[str]:
        """The names of the fields that the errors are about; of an operation, those at its root."""
        nodes: set[Node] = set()
        for node in chain.from_iterable(error.nodes or () for error in self.errors):
            nodes.update(node.selection_set.selections if isinstance(node, OperationDefinitionNode) else [node])
        return {node.name.value for node in nodes if isinstance(node, FieldNode)}


@dataclass(frozen=True, slots=True)
class PreparedOperation:
    """One operation of a valid document."""

    document: DocumentNode
    name: str | None
    type_name: str
    """`query`, `mutation` or `subscription`."""
    compiled: CompiledOperation | None
    """None where only graphql-core can execute it."""
    price: Price
    is_subscription: bool
    is_mutation: bool
    schema: GraphQLSchema
    """The generation of the schema that it was prepared with."""
    streams: Streams
    """The subscriptions of that generation."""


class PreparedDocument:
    """The prepared form of one document text."""

    def __init__(
        self, schema: GraphQLSchema, streams: Streams, query: str, rules: list[type[Any]], limits: DocumentLimits
    ) -> None:
        self.characters = len(query)
        self._schema = schema
        self._streams = streams
        self._refusal: Refusal | None = None
        self.known: dict[str | None, PreparedOperation] = {}
        """The operations that were asked for, by the names that requests gave; None: a request gave none."""
        self._document = DocumentNode(definitions=())
        try:
            self._document = parse(query, max_tokens=limits.tokens_max)
            errors = validate(schema, self._document, rules)
        except GraphQLError as unparsable:
            self._refusal = Refusal([unparsable], Fault.DOCUMENT)
            return
        for error in errors:
            error.extensions = {"code": "GRAPHQL_VALIDATION_FAILED", **(error.extensions or {})}
        if errors:
            self._refusal = Refusal(errors, Fault.DOCUMENT)

    def operation(self, name: str | None) -> PreparedOperation | Refusal:
        """The operation of that name; the only one, for None."""
        found = self.known.get(name)
        if found is not None:
            return found
        if self._refusal is not None and not self._names_nothing:
            return self._refusal
        definition = self._definition(name)
        if isinstance(definition, Refusal):
            return definition
        # Unknown names are not cached: a client could invent any number of them.
        found = self.known[name] = self._by_name(definition)
        return found

    def _by_name(self, definition: OperationDefinitionNode) -> PreparedOperation:
        """The prepared operation of a definition; requests may name the only one, or leave its name out."""
        name = None if definition.name is None else definition.name.value
        found = self.known.get(name)
        if found is None:
            found = self.known[name] = self._prepared(definition, name)
        return found

    @property
    def _names_nothing(self) -> bool:
        """Whether the document could be parsed, and has no operation at all."""
        return bool(self._document.definitions) and not self._definitions

    @property
    def _definitions(self) -> list[OperationDefinitionNode]:
        return [d for d in self._document.definitions if isinstance(d, OperationDefinitionNode)]

    def _definition(self, name: str | None) -> OperationDefinitionNode | Refusal:
        definitions = self._definitions
        if name is None and len(definitions) > 1:
            return _refused("The document has several operations: `operationName` must name one.", Fault.DOCUMENT)
        named = [d for d in definitions if name is None or (d.name is not None and d.name.value == name)]
        return (
            named[0] if named else _refused("The request names no operation that can be executed here.", Fault.REQUEST)
        )

    def _prepared(self, definition: OperationDefinitionNode, name: str | None) -> PreparedOperation:
        fragments = [d for d in self._document.definitions if isinstance(d, FragmentDefinitionNode)]
        try:
            compiled = compile_operation(self._schema, definition, fragments)
        except NotCompilable:
            compiled = None
        kind = definition.operation
        return PreparedOperation(
            self._document,
            name,
            kind.value,
            compiled,
            price_of(self._schema, definition, fragments),
            kind is OperationType.SUBSCRIPTION,
            kind is OperationType.MUTATION,
            self._schema,
            self._streams,
        )


class Documents:
    """Prepares documents for one generation of the schema, and keeps those used last, up to a number of characters."""

    def __init__(self, schema: GraphQLSchema, limits: DocumentLimits, policy: DocumentPolicy = ALLOW_ALL) -> None:
        self.streams = Streams()
        self._schema = schema
        self._limits = limits
        self._policy = policy
        # WritesDisabled is first, because its error says more than those of the other rules.
        self._rules: list[type[Any]] = [WritesDisabled, *policy.rules, *specified_rules, document_limiter(limits)]
        self._cache: LRUCache[str, PreparedDocument] = LRUCache(
            _CACHED_CHARACTERS_MAX, getsizeof=lambda document: document.characters + _CHARACTERS_PER_DOCUMENT
        )
        # One, so that however much of it is done aside, the event loop waits for one thread only.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="documents")
        self._preparing: dict[str, asyncio.Future[PreparedDocument]] = {}

    def known(self, query: str | None, operation_name: str | None) -> PreparedOperation | None:
        """The operation that a request names, where it was prepared before and is kept."""
        try:
            return self._cache[query].known.get(operation_name)  # type: ignore[index]
        except KeyError:
            return None

    def takes_long(self, query: str | None) -> bool:
        """Whether others would notice if that document were prepared on the event loop."""
        return query is not None and len(query) > _SHORT_CHARACTERS_MAX and query not in self._cache

    def is_new(self, query: str | None, document_id: str | None) -> bool:
        """Whether that document would have to be prepared first."""
        named = self._policy.named(document_id) if not query and document_id is not None else query
        return isinstance(named, str) and named not in self._cache

    def prepare(
        self, query: str | None, operation_name: str | None, document_id: str | None = None
    ) -> PreparedOperation | Refusal:
        """The operation that a request names, ready to be executed; or why it cannot be."""
        if not query:
            if document_id is None:
                return _refused("The request has no query.", Fault.REQUEST)
            named = self._policy.named(document_id)
            if not isinstance(named, str):
                return Refusal([named], Fault.DOCUMENT)
            query = named
        try:
            document = self._cache[query]
        except KeyError:
            if (refusal := self._unacceptable(query)) is not None:
                return refusal
            document = self._prepared(query, operation_name)
            self._keep(query, document)
        return document.operation(operation_name)

    async def prepare_aside(self, query: str, operation_name: str | None) -> PreparedOperation | Refusal:
        """The same, in a thread of its own: one document after the other, and once for all who wait for the same."""
        if (refusal := self._unacceptable(query)) is not None:
            return refusal
        preparing = self._preparing.get(query)
        if preparing is None:
            loop = asyncio.get_running_loop()
            preparing = loop.run_in_executor(self._thread, self._prepared, query, operation_name)
            self._preparing[query] = preparing
            preparing.add_done_callback(lambda _: self._preparing.pop(query))
        document = await asyncio.shield(preparing)
        self._keep(query, document)
        return document.operation(operation_name)

    async def aside(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do what takes long where documents are prepared, one after the other."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _prepared(self, query: str, operation_name: str | None) -> PreparedDocument:
        document = PreparedDocument(self._schema, self.streams, query, self._rules, self._limits)
        document.operation(operation_name)
        return document

    def _keep(self, query: str, document: PreparedDocument) -> None:
        if document.characters <= _DOCUMENT_CACHED_CHARACTERS_MAX:
            self._cache[query] = document

    def _unacceptable(self, query: str) -> Refusal | None:
        """Why a document is not even parsed."""
        untrusted = self._policy.refusal(query)
        if untrusted is not None:
            return Refusal([untrusted], Fault.DOCUMENT)
        limit, setting = self._limits.bytes_max, "KVS_DOCUMENT_BYTES_MAX"
        if len(query) <= limit and len(query.encode(errors="surrogatepass")) <= limit:
            return None
        message = f"The document is longer than {limit} bytes, the limit of {setting}: pass long values as variables."
        error = GraphQLError(message, extensions={"code": "LIMIT_EXCEEDED", "limit": limit, "setting": setting})
        return Refusal([error], Fault.DOCUMENT)


class WritesDisabled(ValidationRule):
    """Reports WRITES_DISABLED for a mutation if the schema has none."""

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        if node.operation is OperationType.MUTATION and self.context.schema.mutation_type is None:
            message = "Writes are disabled (KVS_ENABLE_WRITES=false)."
            self.report_error(GraphQLError(message, node, extensions={"code": "WRITES_DISABLED"}))


def _refused(message: str, fault: Fault) -> Refusal:
    return Refusal([GraphQLError(message, extensions={"code": "BAD_INPUT"})], fault)
