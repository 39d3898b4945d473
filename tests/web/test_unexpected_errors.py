"""Unexpected errors outside of GraphQL: answered with a code and an id, and logged once."""

from pathlib import Path

from structlog.testing import capture_logs

from kvs_graphql.service import Service
from kvs_graphql.service.status import Readiness
from tests.applications import open_application
from tests.web.calls import app_of, call


class BrokenService(Service):
    """Cannot tell how it is."""

    def readiness(self) -> Readiness:
        raise RuntimeError("swordfish")


async def test_unexpected_error_of_a_page_is_masked_and_does_not_reach_the_server(tmp_path: Path) -> None:
    async with open_application(tmp_path, service=BrokenService) as application:
        with capture_logs() as logged:
            answer = await call(app_of(application), "GET", "/readyz")
        (error,) = answer.json()["errors"]
        assert (answer.status, error["extensions"]["code"]) == (500, "INTERNAL")
        assert [line["id"] for line in logged] == [error["extensions"]["id"]]
        assert "swordfish" not in str(error)
        assert application.counted("kvs_errors_total", code="INTERNAL") == 1
