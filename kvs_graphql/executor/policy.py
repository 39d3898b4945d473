"""Which documents are executed at all, and what they and their errors may tell about the schema."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from graphql import ASTValidationRule, GraphQLError
from graphql.validation import NoSchemaIntrospectionCustomRule

_HASH_PREFIX = "sha256:"
_SUGGESTION = re.compile(r" Did you mean [^?]*\?")
# The message by which clients of automatic persisted queries know that they have to send the document.
_NOT_SUPPORTED = GraphQLError("PersistedQueryNotSupported", extensions={"code": "PERSISTED_QUERY_NOT_SUPPORTED"})
_NOT_FOUND = GraphQLError("PersistedQueryNotFound", extensions={"code": "PERSISTED_QUERY_NOT_FOUND"})
_NOT_TRUSTED = GraphQLError("Only trusted documents are executed here.", extensions={"code": "FORBIDDEN"})


@dataclass(frozen=True)
class DocumentPolicy:
    """What the operator allows."""

    introspection: bool = True
    suggestions: bool = True
    """Whether errors name fields, arguments and values that are similar to an unknown one."""
    trusted: Mapping[str, str] | None = None
    """Documents by the ids, such as hashes, that clients may send instead of them."""
    trusted_only: bool = False
    _texts: frozenset[str] = field(init=False, repr=False, default=frozenset())

    def __post_init__(self) -> None:
        trusted = {id_.removeprefix(_HASH_PREFIX): text for id_, text in (self.trusted or {}).items()}
        object.__setattr__(self, "trusted", trusted if self.trusted is not None else None)
        object.__setattr__(self, "_texts", frozenset(trusted.values()))

    @property
    def rules(self) -> tuple[type[ASTValidationRule], ...]:
        """Rules besides those of GraphQL."""
        return () if self.introspection else (NoSchemaIntrospectionCustomRule,)

    def named(self, document_id: str) -> str | GraphQLError:
        """The document with that id, or why there is none."""
        if self.trusted is None:
            return _NOT_SUPPORTED
        return self.trusted.get(document_id.removeprefix(_HASH_PREFIX), _NOT_FOUND)

    def refusal(self, query: str) -> GraphQLError | None:
        """Why a document that a client sent is not executed. A trusted one may be sent as it is, too."""
        return _NOT_TRUSTED if self.trusted_only and query not in self._texts else None

    def silence(self, errors: Iterable[GraphQLError]) -> None:
        """Take from errors what they suggest, where that is not allowed."""
        if not self.suggestions:
            for error in errors:
                error.message = _SUGGESTION.sub("", error.message)


ALLOW_ALL = DocumentPolicy()


def check_hashes(documents: Mapping[str, str]) -> str | None:
    """Return an id that has the form of a SHA-256 hash and is not that of its document; other ids may be anything."""
    for document_id, text in documents.items():
        digest = document_id.removeprefix(_HASH_PREFIX).lower()
        is_hash = document_id.startswith(_HASH_PREFIX) or re.fullmatch(r"[0-9a-f]{64}", digest) is not None
        if is_hash and digest != hashlib.sha256(text.encode()).hexdigest():
            return document_id
    return None
