"""A token that a command makes opens the service to the commands, and to nobody without it."""

import re
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.demo.broker import EmbeddedBroker
from tests.cli.test_read import ended
from tests.serving import serving_topic

pytestmark = pytest.mark.slow


async def test_made_token_is_used_by_the_commands(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    made = await ended("token", "ann")
    lines = r"token, for the client:    (\S+)\nsetting, for the service: KVS_TOKENS=(ann:[0-9a-f]{64})\n"
    found = re.fullmatch(lines, made.output)
    assert found is not None
    token, setting = found.groups()
    async with serving_topic(embedded_broker, tmp_path, (b"a", b"1"), tokens=setting) as topic:
        here: dict[str, Any] = {"KVS_URL": topic.served.run.url}
        known = await ended("get", "a", "--json", KVS_TOKEN=token, **here)
        assert (known.code, known.objects[0]["value"]) == (0, "1")
        unknown = await ended("get", "a", **here)
        assert (unknown.code, unknown.output) == (1, "")
        assert "A bearer token is needed" in unknown.errors
        wrong = await ended("get", "a", KVS_TOKEN=f"{token}\n", **here)
        assert (wrong.code, token in wrong.errors) == (2, False)
