"""How many connections there are file descriptors for."""

import resource

import pytest

from kvs_graphql.errors import BadSetting
from kvs_graphql.runtime import descriptors
from kvs_graphql.settings import Settings, load_settings

FEW, MANY = 300, 10**6


@pytest.fixture(params=[FEW, MANY, resource.RLIM_INFINITY], ids=["few", "many", "no limit"])
def available(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    limit: int = request.param
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    return limit


def settings(connections_max: int | None = None) -> Settings:
    return load_settings(connections_max=connections_max)


def test_connections_are_as_many_as_there_are_descriptors_for_up_to_the_default(available: int) -> None:
    assert descriptors.connections_max(settings()) == (204 if available == FEW else 25_000)
    assert descriptors.connections_max(settings(7)) == 7


def test_more_connections_than_descriptors_are_refused(available: int) -> None:
    if available == FEW:
        with pytest.raises(BadSetting, match=r"^KVS_CONNECTIONS_MAX=205 needs 301 .* 300: ulimit -n 301$"):
            descriptors.connections_max(settings(205))
    else:
        assert descriptors.connections_max(settings(205)) == 205


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        (256, MANY, 25_096),
        (256, 4_096, 4_096),
        (256, resource.RLIM_INFINITY, 25_096),
        (MANY, MANY, None),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None),
    ],
)
def test_soft_limit_is_raised_as_far_as_it_is_of_use(
    soft: int, hard: int, raised: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: set_to.append(limits))
    descriptors.raise_limit(settings())
    assert set_to == ([] if raised is None else [(raised, hard)])


def test_each_table_has_descriptors_for_its_files_and_for_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty idle tables on one broker hold 314; reads of all at once take 300 more, and the producer of each one."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (FEW, FEW))
    tables = {f"table{number}": {"topic": "topic"} for number in range(50)}
    with pytest.raises(BadSetting, match=r"^The service needs 1288 file descriptors, .* 300: ulimit -n 1288$"):
        descriptors.connections_max(load_settings(tables=tables))
