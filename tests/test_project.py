"""The files around the code keep in step with it."""

import re
from pathlib import Path
from typing import Any

import yaml

from kvs_graphql.api import print_schema
from kvs_graphql.cli.options import settings_table
from kvs_graphql.settings import Settings
from tests.readme import README, settings_markdown

ROOT = Path(__file__).parent.parent


def _variables(text: str) -> set[str]:
    return set(re.findall(r"\bKVS_[A-Z0-9_]+", text))


def _known() -> set[str]:
    return {line.variable for line in settings_table()} | {
        "KVS_URL",
        "KVS_BUILD_WEB",
        "KVS_REQUIRE_KAFKA",
        "KVS_SIMULATION_SEEDS",
    }


def _compose() -> dict[str, Any]:
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return compose


def test_the_printed_schema_is_the_schema() -> None:
    assert (ROOT / "schema.graphql").read_text() == print_schema(), "run: make schema"


def test_the_readme_documents_every_setting_as_it_is() -> None:
    assert settings_markdown() in README.read_text(), "run: make schema"


def test_no_document_names_a_setting_that_does_not_exist() -> None:
    documents = [ROOT / "docker-compose.yml", ROOT / "Dockerfile", *ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    unknown = {path.name: _variables(path.read_text()) - _known() for path in documents}
    assert {name: variables for name, variables in unknown.items() if variables} == {}


def test_every_test_that_the_documentation_names_exists() -> None:
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", (ROOT / "docs" / "guarantees.md").read_text()))
    written = set(re.findall(r"def (test_[a-z0-9_]+)", "".join(p.read_text() for p in ROOT.glob("tests/**/*.py"))))
    assert len(named) > 20
    assert named - written == set()


def test_compose_runs_the_service_with_settings_it_accepts() -> None:
    service = _compose()["services"]["kvs-graphql"]
    settings = Settings(**{name.removeprefix("KVS_").lower(): value for name, value in service["environment"].items()})
    assert settings.host == "0.0.0.0"  # noqa: S104
    assert f"127.0.0.1:{settings.port}:{settings.port}" in service["ports"]
    volume, path = service["volumes"][0].split(":")
    assert volume in _compose()["volumes"]
    assert str(settings.database).startswith(path)


def test_compose_waits_for_a_kafka_that_is_healthy() -> None:
    services = _compose()["services"]
    assert services["kvs-graphql"]["depends_on"]["kafka"]["condition"] == "service_healthy"
    assert all("healthcheck" in services[name] for name in ("kafka", "kvs-graphql"))


def test_the_image_runs_as_nobody_special_and_checks_its_health() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    instructions = [line.split()[0] for line in lines if line[:1].isupper()]
    assert "USER" in instructions
    assert "HEALTHCHECK" in instructions
    assert instructions.index("USER") < instructions.index("ENTRYPOINT")


def test_every_dependency_is_constrained_exactly_and_explained() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    constraints = (ROOT / "constraints.txt").read_text().lower().replace("_", "-")
    block = pyproject[pyproject.index("dependencies = [") : pyproject.index("[dependency-groups]")]
    asked = re.findall(r'^    "([a-z0-9-]+)[^"]*",(.*)$', block, re.MULTILINE)
    assert len(asked) > 15
    for name, comment in asked:
        assert f"\n{name}==" in constraints, name
        assert comment.strip().startswith("#"), name


def test_no_lock_of_npm_says_where_its_packages_were_fetched() -> None:
    locks = [ROOT / path / "package-lock.json" for path in ("web", "clients/javascript", "tests/clients")]
    assert [str(path) for path in locks if re.search(r'"resolved": "https?:', path.read_text())] == []
