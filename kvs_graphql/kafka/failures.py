"""Why Kafka cannot be used, in words: which broker, what it says, and which setting or right may be wrong."""

import os
import re
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiokafka.errors import (
    AuthenticationFailedError,
    BrokerResponseError,
    ClusterAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    RequestTimedOutError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

from kvs_graphql.compat.aiokafka_connections import TokenRejected
from kvs_graphql.kafka.tokens import TokenRefused

_WRONG_CREDENTIALS = (AuthenticationFailedError, SaslAuthenticationFailed)
_REFUSALS = (
    *_WRONG_CREDENTIALS,
    ClusterAuthorizationFailedError,
    IllegalSaslStateError,
    TokenRefused,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
    ssl.SSLCertVerificationError,
)

_UNCONNECTED = (KafkaConnectionError, NodeNotReadyError)
"""Errors of a client that say no more than that it has no connection."""

_NO_METADATA = "Unable to bootstrap"
"""How aiokafka says that it could connect and then got no answer; the rest is a representation of Python."""

_WORDS: dict[type[BaseException], str] = {
    ClusterAuthorizationFailedError: "the user lacks rights on the cluster",
    IllegalSaslStateError: "it expects another protocol (KVS_KAFKA_SECURITY_PROTOCOL)",
    UnsupportedSaslMechanismError: "it does not support this SASL mechanism (KVS_KAFKA_SASL_MECHANISM)",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed, in words."""

    reason: str
    refused: bool
    """Whether an operator has to cure it: a wrong password, an untrusted certificate, a missing right."""


def failure_of(error: BaseException, unconnected: Mapping[str, BaseException], topic: str) -> Failure:
    """Return what an error of a client means.

    `unconnected` says, by address, why the client could not connect to brokers; a client's own errors leave that out.
    """
    if isinstance(error, _UNCONNECTED) and unconnected:
        causes = {address: _cause(failure) for address, failure in unconnected.items()}
        reason = "; ".join(f"{address}: {words(cause, topic)}" for address, cause in causes.items())
        return Failure(reason, any(_is_refusal(cause) for cause in causes.values()))
    cause = _cause(error)
    return Failure(words(cause, topic), _is_refusal(cause))


def words(error: BaseException, topic: str = "") -> str:
    """Return an error of Kafka, of TLS or of the network in words, without names or representations of Python."""
    match error:
        case ssl.SSLCertVerificationError():
            text = f"its certificate is refused: {_sentence(error.verify_message)} (KVS_KAFKA_CA_FILE)"
        case ssl.SSLError():
            text = f"TLS failed: {_tls_reason(error)} (KVS_KAFKA_SECURITY_PROTOCOL, KVS_KAFKA_CERTIFICATE_FILE)"
        case socket.gaierror():
            text = f"the host name cannot be resolved: {_sentence(error.strerror)}"
        case TimeoutError() | RequestTimedOutError():
            text = "no answer in time"
        case OSError():
            text = _network(error)
        case KafkaError():
            text = _kafka(error, topic)
        case EOFError():
            text = "it closes the connection (KVS_KAFKA_SECURITY_PROTOCOL)"
        case UnicodeError():
            text = "the host name is not allowed"
        case _:
            text = "it does not speak Kafka's protocol"
    return text


def _kafka(error: KafkaError, topic: str) -> str:
    texts = [text.strip().rstrip(".") for text in error.args if isinstance(text, str) and text.strip()]
    if isinstance(error, _WRONG_CREDENTIALS):
        said = "".join(f": {text}" for text in texts)
        if isinstance(error, TokenRejected):
            return f"the token is refused{said} (KVS_KAFKA_OAUTH_TOKEN_URL, KVS_KAFKA_OAUTH_SCOPE)"
        return f"the user or the password is refused{said} (KVS_KAFKA_USERNAME, KVS_KAFKA_PASSWORD)"
    if isinstance(error, TopicAuthorizationFailedError):
        named = f" {topic!r}" if topic else ""
        return f"the user lacks rights on topic{named}: to read it takes READ, to write it WRITE"
    if any(text.startswith(_NO_METADATA) for text in texts):
        return "the connection ends before the brokers are known"
    if type(error) in _WORDS or texts:
        return _WORDS.get(type(error)) or texts[0]
    return f"Kafka answers {error.message}" if isinstance(error, BrokerResponseError) else "the connection failed"


def _network(error: OSError) -> str:
    # asyncio merges the failures of several addresses into one text.
    numbers = [error.errno] if error.errno else [int(number) for number in re.findall(r"\[Errno (\d+)\]", str(error))]
    return ", ".join(_unique(os.strerror(number).lower() for number in numbers)) or "the connection failed"


def _cause(error: BaseException) -> BaseException:
    """Return what closed a connection, where that is known."""
    is_consequence = isinstance(error, _UNCONNECTED) and error.__cause__ is not None
    return _cause(error.__cause__) if is_consequence and error.__cause__ is not None else error


def _is_refusal(error: BaseException) -> bool:
    # A broker that refuses a client's certificate ends TLS with an alert.
    alert = isinstance(error, ssl.SSLError) and "alert" in _tls_reason(error)
    return alert or isinstance(error, _REFUSALS)


def _tls_reason(error: ssl.SSLError) -> str:
    # Only OpenSSL's own errors have a reason.
    reason: str | None = getattr(error, "reason", None)
    return (reason or "handshake failed").lower().replace("_", " ")


def _sentence(text: str | None) -> str:
    return (text or "unknown").strip().rstrip(".")


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
