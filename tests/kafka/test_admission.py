"""Admission counts what is under way, refuses what exceeds the limits, and answers in time."""

import asyncio

import pytest

from kvs_graphql.errors import KafkaUnavailable, LimitExceeded, Unavailable, WriteOutcomeUnknown
from kvs_graphql.kafka.admission import Admission
from kvs_graphql.kafka.pending_write import PendingWrite
from kvs_graphql.metrics import Metrics
from tests.kafka.writes import outgoing

LONG_SECONDS = 600.0
WRITE_BYTES = len(b"key") + len(b"1")


def timeout_error(pending: PendingWrite) -> KafkaUnavailable | WriteOutcomeUnknown:
    return WriteOutcomeUnknown("sent") if pending.sent else KafkaUnavailable("not sent")


def opened(
    writes_max: int = 100, bytes_max: int = 10_000, seconds_max: float = LONG_SECONDS, metrics: Metrics | None = None
) -> Admission:
    admission = Admission(writes_max, bytes_max, seconds_max, (metrics or Metrics()).of_table(""))
    admission.open()
    return admission


def admit(admission: Admission, count: int = 1) -> list[PendingWrite]:
    return admission.admit([outgoing(b"1")] * count, timeout_error)


async def settled() -> None:
    """Let the callbacks of answers run."""
    await asyncio.sleep(0)


async def test_writes_over_the_limit_are_refused_all_or_none() -> None:
    admission = opened(writes_max=2)
    admit(admission)
    with pytest.raises(LimitExceeded, match="limit of 2 unacknowledged writes") as refused:
        admit(admission, 2)
    assert refused.value.details == {"limit": 2}
    assert len(admission) == 1
    admit(admission)


async def test_bytes_over_the_limit_are_refused() -> None:
    admission = opened(bytes_max=2 * WRITE_BYTES)
    admit(admission, 2)
    with pytest.raises(LimitExceeded, match=f"limit of {2 * WRITE_BYTES} bytes"):
        admit(admission)


async def test_closed_admission_refuses_writes() -> None:
    admission = opened()
    admission.close()
    with pytest.raises(Unavailable):
        admit(admission)


async def test_cancelled_write_makes_room_at_once() -> None:
    admission = opened(writes_max=1)
    admit(admission)[0].answer.cancel()
    await settled()
    assert len(admission) == 0
    admit(admission)


async def test_sent_write_keeps_its_room_until_it_is_released() -> None:
    admission = opened(writes_max=1)
    (write,) = admit(admission)
    write.sent = True
    write.answer.cancel()
    await settled()
    with pytest.raises(LimitExceeded):
        admit(admission)
    admission.release(write)
    admission.release(write)
    assert len(admission) == 0
    admit(admission)


async def test_write_fails_when_its_time_is_up() -> None:
    admission = opened(seconds_max=0.01)
    queued, sent = admit(admission, 2)
    sent.sent = True
    with pytest.raises(KafkaUnavailable):
        await queued.answer
    with pytest.raises(WriteOutcomeUnknown):
        await sent.answer
    assert len(admission) == 1, "the sent write is still under way"


async def test_until_empty_returns_with_the_last_release() -> None:
    admission = opened()
    first, second = admit(admission, 2)
    empty = asyncio.ensure_future(admission.until_empty())
    admission.release(first)
    await settled()
    assert not empty.done()
    admission.release(second)
    await empty


async def test_fail_all_answers_every_write() -> None:
    admission = opened()
    queued, sent, cancelled = admit(admission, 3)
    sent.sent = True
    cancelled.answer.cancel()
    admission.fail_all(timeout_error)
    assert isinstance(queued.answer.exception(), KafkaUnavailable)
    assert isinstance(sent.answer.exception(), WriteOutcomeUnknown)
    assert len(admission) == 0


async def test_outcomes_are_counted() -> None:
    metrics = Metrics()
    admission = opened(metrics=metrics)
    written, cancelled, unavailable, unknown, refused = admit(admission, 5)
    assert b'kvs_writes_in_flight{table=""} 5.0' in metrics.render()
    written.succeed(7, None)
    assert (written.answer.result().offset, written.answer.result().timestamp_ms) == (7, 1_000)
    cancelled.answer.cancel()
    unavailable.fail(KafkaUnavailable("away"))
    unknown.fail(WriteOutcomeUnknown("sent"))
    refused.fail(LimitExceeded("no"))
    await settled()
    assert all(write.answer.exception() for write in (unavailable, unknown, refused))
    shown = metrics.render().decode()
    for outcome in ("written", "cancelled", "unavailable", "unknown", "refused"):
        assert f'kvs_writes_total{{outcome="{outcome}",table=""}} 1.0' in shown
    assert 'kvs_writes_in_flight{table=""} 0.0' in shown
