"""Failures of Kafka, of TLS and of the network in words: no names or representations of Python."""

import re
import socket
import ssl

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    TopicAuthorizationFailedError,
    kafka_errors,
)

from kvs_graphql.kafka.failures import failure_of, words

PYTHON = re.compile(r"Error\b|Errno|Exception|<|\(['\"]|\{|object at|_ssl\.c|AddressFamily")
ADDRESSES = OSError(
    "Multiple exceptions: [Errno 111] Connect call failed ('::1', 9092, 0, 0), "
    "[Errno 111] Connect call failed ('127.0.0.1', 9092)"
)


@pytest.mark.parametrize("kind", [*kafka_errors.values(), KafkaConnectionError, NodeNotReadyError])
@pytest.mark.parametrize("arguments", [(), (None,), ({"topic"},), (object(),)])
def test_every_error_of_kafka_is_shown_in_words(kind: type[KafkaError], arguments: tuple[object, ...]) -> None:
    shown = words(kind(*arguments), "topic")
    assert shown
    assert not PYTHON.search(shown)


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 9092)"), "connection refused"),
        (ADDRESSES, "connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "cannot be resolved: Name or service not known"),
        (TimeoutError(), "no answer in time"),
        (EOFError("0 bytes read on a total of 4 expected bytes"), "closes the connection"),
        (UnicodeError("label empty or too long"), "host name is not allowed"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), "TLS failed"),
        (AssertionError("Server should either close or send an empty response"), "does not speak Kafka's protocol"),
    ],
)
def test_every_error_of_a_connection_is_shown_in_words(error: Exception, shown: str) -> None:
    failure = failure_of(KafkaConnectionError("Unable to bootstrap"), {"broker:9092": error}, "topic")
    assert failure.reason.startswith("broker:9092: ")
    assert shown in failure.reason
    assert not PYTHON.search(failure.reason)
    assert not failure.refused


def test_what_closed_a_connection_is_shown_instead_of_the_fact_that_it_is_closed() -> None:
    closed = KafkaConnectionError("Connection at broker:9092 closed")
    closed.__cause__ = ConnectionResetError(104, "Connection reset by peer")
    assert failure_of(closed, {}, "topic").reason == "connection reset by peer"


def test_one_broker_that_refuses_is_a_refusal_although_others_are_down() -> None:
    refused = ssl.SSLCertVerificationError(1, "failed")
    refused.verify_message = "self-signed certificate"
    failure = failure_of(NodeNotReadyError("1"), {"a:1": ConnectionRefusedError(111, "x"), "b:1": refused}, "topic")
    assert failure.refused
    assert failure.reason.startswith("a:1: connection refused; b:1: its certificate is refused")


def test_brokers_that_are_down_do_not_hide_an_error_of_another_kind() -> None:
    failure = failure_of(TopicAuthorizationFailedError({"t"}), {"a:1": ConnectionRefusedError(111, "x")}, "t")
    assert failure.refused
    assert "lacks rights on topic 't'" in failure.reason
