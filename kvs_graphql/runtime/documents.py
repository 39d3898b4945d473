"""The documents that an operator trusts, from their file."""

from pathlib import Path

import orjson

from kvs_graphql.errors import BadSetting
from kvs_graphql.executor import DocumentPolicy, check_hashes
from kvs_graphql.settings import Settings


def document_policy(settings: Settings) -> DocumentPolicy:
    """Return what the settings allow of documents.

    Raises:
        BadSetting: The file of trusted documents cannot be used.
    """
    path = settings.trusted_documents_file
    trusted = None if path is None else _read(path)
    return DocumentPolicy(
        settings.introspection, settings.suggestions, trusted, trusted_only=settings.trusted_documents_only
    )


def _read(path: Path) -> dict[str, str]:
    name = f"KVS_TRUSTED_DOCUMENTS_FILE={path}"
    try:
        documents = orjson.loads(path.read_bytes())
    except OSError as error:
        raise BadSetting(f"{name}: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise BadSetting(f"{name} is not JSON: {error}") from None
    if not isinstance(documents, dict) or not all(isinstance(text, str) for text in documents.values()):
        raise BadSetting(f"{name} must hold a JSON object of documents by their ids")
    wrong = check_hashes(documents)
    if wrong is not None:
        raise BadSetting(f"{name}: {wrong} is not the SHA-256 hash of its document")
    return documents
