"""Generations of the schema: which proposals are served."""

import asyncio
from typing import Any

import pytest

from kvs_graphql.api import build_schema
from kvs_graphql.errors import BadSetting
from kvs_graphql.formats import TableFormats
from kvs_graphql.metrics import Metrics
from kvs_graphql.runtime import graphs
from kvs_graphql.schemas import Generations
from kvs_graphql.settings import load_settings


async def test_a_graph_that_no_library_can_build_is_not_served_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = load_settings(bootstrap_servers="nowhere:1", tables={name: {"topic": name} for name in "abc"})
    formats = {name: TableFormats() for name in "abc"}
    broken = {"a": RuntimeError("library"), "b": BadSetting("names")}

    def build(writable: Any, given: Any, **others: Any) -> Any:
        for name, error in broken.items():
            if given[name].json_of is not None:
                raise error
        return build_schema(writable, given, **others)

    def change(_: TableFormats) -> TableFormats:
        return TableFormats(json_of=bytes)

    monkeypatch.setattr(graphs, "build_schema", build)
    generations, accepted = Generations(), list[str]()
    serving = asyncio.create_task(graphs.Graphs(settings, lambda: formats, Metrics()).serve(generations))
    proposed = [generations.propose(name, change, lambda name=name: accepted.append(name)) for name in "abc"]  # type: ignore[misc]
    assert await asyncio.gather(*proposed) == ["the graph cannot be built: RuntimeError", "names", None]
    assert (accepted, generations.served) == (["c"], 1)
    assert await generations.propose("c", change, lambda: accepted.append("again")) is None
    serving.cancel()
