"""The files around the code agree with it."""

import ast
import re
import sys
import tomllib
from enum import Enum
from importlib.metadata import packages_distributions
from itertools import chain, product
from pathlib import Path
from typing import Any

import pytest
import yaml

from kvs_graphql.api import print_schema
from kvs_graphql.cli.options import settings_table
from kvs_graphql.errors import BadSetting
from kvs_graphql.feed import WatcherState, watcher
from kvs_graphql.runtime.access import check_exposure
from kvs_graphql.settings import Settings
from kvs_graphql.state import State
from kvs_graphql.watch import TRANSITIONS, WatchState
from kvs_graphql.web.websocket import SocketState
from tests.readme import README, settings_markdown
from tests.test_architecture import DOORS

ROOT = Path(__file__).parent.parent
ARCHITECTURE = ROOT / "docs" / "architecture.md"

VARIABLES_BESIDE_THE_SETTINGS = {
    *("KVS_URL", "KVS_TOKEN", "KVS_BUILD_WEB", "KVS_SIMULATION_SEEDS", "KVS_DIFFERENTIAL_SEEDS"),
    *("KVS_TEST_CASES_MAX", "KVS_TEST_ORDER"),
    *("KVS_REQUIRE_KAFKA", "KVS_REQUIRE_BROWSER", "KVS_REQUIRE_NODE", "KVS_REQUIRE_PROXIES"),
    *("KVS_REQUIRE_AUDIT", "KVS_REQUIRE_CLIENTS", "KVS_REQUIRE_GO", "KVS_REQUIRE_CARGO"),
}

DEPENDENCIES_NEVER_IMPORTED = {
    "cramjam": "aiokafka loads it to decompress record batches",
}


def _documents() -> list[Path]:
    return [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def _variables(text: str) -> set[str]:
    return set(re.findall(r"\bKVS_[A-Z0-9_]+", text))


def _drawing_after(text: str) -> str:
    """The first drawing behind some text in the description of the architecture."""
    _, _, after = ARCHITECTURE.read_text().partition(text)
    return after.partition("```mermaid\n")[2].partition("```")[0]


def _arrows(drawing: str) -> set[tuple[str, str]]:
    """The arrows `a --> b & c` of a drawing, from each name to each."""
    lines = re.findall(r"^ +(\w+) --> (\w+(?: & \w+)*)(?::.*)?$", drawing, re.MULTILINE)
    return {arrow for tail, heads in lines for arrow in product([tail], heads.split(" & "))}


def _is_defined(path: str, name: str) -> bool:
    """Whether a module below `kvs_graphql` defines a class, a function, or a method `Class.method`."""
    body = ast.parse((ROOT / "kvs_graphql" / path).read_text()).body
    for part in name.split("."):
        named = (node for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef))
        found = next((node for node in named if node.name == part), None)
        if found is None:
            return False
        body = found.body
    return True


def _compose() -> dict[str, Any]:
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return compose


def _declared_distributions() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    return {re.split(r"[^A-Za-z0-9._-]", requirement)[0] for requirement in requirements}


def _imported_distributions() -> set[str]:
    """The distributions whose packages kvs_graphql imports, named as in pyproject.toml."""
    modules = set()
    for path in (ROOT / "kvs_graphql").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules.add(str(node.module).split(".")[0])
    distributions = packages_distributions()
    third_party = modules - sys.stdlib_module_names - {"kvs_graphql"}
    return {re.sub(r"[_.]", "-", name).lower() for module in third_party for name in distributions[module]}


def test_printed_schema_is_the_schema() -> None:
    assert (ROOT / "schema.graphql").read_text() == print_schema(), "run: make schema"


def test_readme_documents_every_setting() -> None:
    assert settings_markdown() in README.read_text(), "run: make schema"


def test_no_document_names_an_unknown_setting() -> None:
    known = {line.variable for line in settings_table()} | VARIABLES_BESIDE_THE_SETTINGS
    # The change log also names settings that were renamed.
    documents = [document for document in _documents() if document.name != "CHANGELOG.md"]
    files = [ROOT / "docker-compose.yml", ROOT / "Dockerfile", *documents]
    unknown = {path.name: _variables(path.read_text()) - known for path in files}
    assert {name: variables for name, variables in unknown.items() if variables} == {}


def test_every_link_between_documents_leads_to_a_file() -> None:
    links = [
        (document, target)
        for document in _documents()
        for target in re.findall(r"\]\((?!https?:|#|/)([^)#\s]+)", document.read_text())
    ]
    assert len(links) > 5
    broken = [f"{document.name}: {target}" for document, target in links if not (document.parent / target).exists()]
    assert broken == []


def test_index_of_decisions_lists_every_record() -> None:
    decisions = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", (decisions / "README.md").read_text())
    assert listed == sorted(path.name for path in decisions.glob("0*.md"))


def test_every_make_target_named_in_a_document_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    commands = [
        command
        for text in (hooks, *(document.read_text() for document in _documents()))
        for command in re.findall(r"(?:^|`|entry: )make ((?:[a-z-]+ ?)+)", text, re.MULTILINE)
    ]
    named = {target for command in commands for target in command.split()}
    assert len(named) > 10
    assert named - targets == set()


@pytest.mark.parametrize("document", ["guarantees.md", "known-holes.md", "typed-data.md"])
def test_every_test_named_in_a_document_exists(document: str) -> None:
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", (ROOT / "docs" / document).read_text()))
    written = set(re.findall(r"def (test_[a-z0-9_]+)", "".join(p.read_text() for p in ROOT.glob("tests/**/*.py"))))
    assert len(named) > 20
    assert named - written == set()


def test_everything_that_the_architecture_names_exists() -> None:
    text = ARCHITECTURE.read_text()
    named = re.findall(r"`([\w/]+\.py)(?:::([\w.]+))?`", text)
    assert len(named) > 40
    gone = {path for path, _ in named if not (ROOT / "kvs_graphql" / path).is_file()}
    undefined = {f"{path}::{name}" for path, name in named if name and path not in gone and not _is_defined(path, name)}
    assert gone | undefined == set()


def test_drawing_of_the_rooms_shows_their_doors() -> None:
    drawing = _drawing_after("## The rooms")
    arrows, (frame,) = _arrows(drawing), re.findall(r"subgraph shared\[.*\n.*\n((?:.*~~~.*\n)+)", drawing)
    vocabulary, builders = set(re.findall(r"\w+", frame)), {"runtime", "tables"}
    built = re.findall(r"\w+", " ".join(re.findall(r"-\. builds \.-> (.*)", drawing)))
    assert vocabulary.union(builders, built, *arrows) == set(DOORS)
    assert arrows == {
        (room, door) for room, doors in DOORS.items() for door in doors - vocabulary if room not in builders
    }


def test_table_of_the_rooms_lists_all_of_them() -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ", ARCHITECTURE.read_text(), re.MULTILINE)
    assert sorted(re.findall(r"\w+", " ".join(rows))) == sorted(DOORS)


@pytest.mark.parametrize(
    ("heading", "states"),
    [
        pytest.param("**A table**", State, id="table"),
        pytest.param("**A watch**", WatchState, id="watch"),
        pytest.param("**A watcher**", WatcherState, id="watcher"),
        pytest.param("**A WebSocket**", SocketState, id="WebSocket"),
    ],
)
def test_drawings_of_state_machines_show_all_states(heading: str, states: type[Enum]) -> None:
    assert set(re.findall(r"\b[A-Z_]{4,}\b", _drawing_after(heading))) == {state.name for state in states}


def test_drawing_of_a_watch_shows_its_transitions() -> None:
    transitions = {(before.name, after.name) for before, possible in TRANSITIONS.items() for after in possible}
    assert _arrows(_drawing_after("**A watch**")) == transitions


def test_drawing_of_a_watcher_shows_the_transitions_of_its_module() -> None:
    listed = set(re.findall(r"^ +(\w+) ──▶ (\w+) ", watcher.__doc__ or "", re.MULTILINE))
    assert len(listed) > 5
    drawn = _arrows(_drawing_after("**A watcher**"))
    # The module has one line, and the drawing one arrow, for the end that any state can have.
    assert {arrow for arrow in drawn if arrow[1] != "CLOSED"} == {arrow for arrow in listed if arrow[1] != "CLOSED"}


def test_compose_file_uses_settings_that_the_service_accepts() -> None:
    service = _compose()["services"]["kvs-graphql"]
    settings = Settings(**{name.removeprefix("KVS_").lower(): value for name, value in service["environment"].items()})
    assert settings.host == "0.0.0.0"  # noqa: S104
    assert f"127.0.0.1:{settings.port}:{settings.port}" in service["ports"]
    check_exposure(settings)
    volume, path = service["volumes"][0].split(":")
    assert volume in _compose()["volumes"]
    assert str(settings.database).startswith(path)


def test_compose_file_waits_for_a_healthy_kafka() -> None:
    services = _compose()["services"]
    assert services["kvs-graphql"]["depends_on"]["kafka"]["condition"] == "service_healthy"
    assert all("healthcheck" in services[name] for name in ("kafka", "kvs-graphql"))


def test_image_serves_nobody_until_it_is_said_who_may_ask() -> None:
    (line,) = re.findall(r"^ENV (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    variables = re.findall(r"(KVS_\w+)=(\S+)", line)
    settings = Settings(**{name.removeprefix("KVS_").lower(): value for name, value in variables})
    with pytest.raises(BadSetting, match="KVS_ALLOW_ANONYMOUS"):
        check_exposure(settings)


def test_image_runs_as_an_ordinary_user_and_checks_its_health() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    instructions = [line.split()[0] for line in lines if line[:1].isupper()]
    assert "HEALTHCHECK" in instructions
    assert instructions.index("USER") < instructions.index("ENTRYPOINT")


def test_every_dependency_is_pinned_in_constraints_and_explained() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    constraints = (ROOT / "constraints.txt").read_text().lower().replace("_", "-")
    block = pyproject[pyproject.index("dependencies = [") : pyproject.index("[dependency-groups]")]
    lines = re.findall(r'^    "([a-z0-9-]+)[^"]*",(.*)$', block, re.MULTILINE)
    assert {name for name, _ in lines} == _declared_distributions()
    assert [name for name, _ in lines if f"\n{name}==" not in constraints] == []
    assert [name for name, comment in lines if not comment.strip().startswith("#")] == []


def test_every_imported_library_is_declared() -> None:
    assert _imported_distributions() - _declared_distributions() == set()


def test_every_declared_dependency_is_imported_or_explained() -> None:
    assert _declared_distributions() - _imported_distributions() == set(DEPENDENCIES_NEVER_IMPORTED)


def test_supported_pythons_are_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    classified = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    tested = re.findall(r'^SUPPORTED="(.*)"', (ROOT / ".ci" / "test-versions").read_text(), re.MULTILINE)
    assert tested == [" ".join(classified)]
    last = int(classified[-1].removeprefix("3."))
    assert project["requires-python"] == f">={classified[0]},<3.{last + 1}"


def test_npm_locks_name_no_download_addresses() -> None:
    locks = [
        ROOT / path / "package-lock.json"
        for path in ("web", "clients/javascript", "tests/browser/provider", "tests/clients", "tests/clients/runtimes")
    ]
    assert [str(path) for path in locks if re.search(r'"resolved": "https?:', path.read_text())] == []
