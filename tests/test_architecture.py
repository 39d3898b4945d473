"""The rooms and their one-way doors, as data. A new door is a deliberate change of this file."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import kvs_graphql

PACKAGE = Path(kvs_graphql.__file__).parent

DOORS: dict[str, set[str]] = {
    "__main__": {"cli"},
    "errors": set(),
    "records": set(),
    "cursor": {"errors", "records"},
    "state": {"records"},
    "access": {"errors"},
    "settings": {"errors"},
    "metrics": set(),
    "logs": set(),
    "database": {"errors"},
    "store": {"database", "records", "cursor", "errors"},
    "feed": {"records", "cursor", "errors"},
    "cursor_validation": {"feed", "records", "cursor", "errors"},
    "watch": {"store", "feed", "cursor_validation", "records", "cursor", "access", "errors"},
    "kafka": {"store", "feed", "state", "records", "cursor", "errors", "metrics"},
    "service": {"store", "feed", "cursor_validation", "watch", "state", "access", "records", "cursor", "errors"},
    "api": {"service", "access", "records", "errors", "metrics"},
    "web": {"api", "service", "access", "settings", "metrics", "errors"},
    "runtime": {
        *("api", "cursor", "errors", "feed", "kafka", "metrics", "service", "settings", "state", "store", "web"),
    },
    "client": {"errors"},
    "demo": {"settings", "runtime"},
    "cli": {"api", "client", "demo", "errors", "logs", "runtime", "settings", "state"},
}

LIBRARIES: dict[str, set[str]] = {
    "aiosqlite": {"database"},
    "filelock": {"database"},
    "sqlite3": {"database", "store"},
    "aiokafka": {"kafka"},
    "confluent_kafka": {"demo"},
    "psutil": {"demo"},
    "strawberry": {"api", "web"},
    "graphql": {"api", "web"},
    "jsonpointer": {"api"},
    "starlette": {"web"},
    "cross_web": {"web"},
    "uvicorn": {"runtime"},
    "uvloop": {"cli"},
    "httpx": {"client"},
    "httpx_sse": {"client"},
    "click": {"cli"},
    "rich": {"cli"},
    "prometheus_client": {"metrics"},
    "pydantic": {"settings", "cli"},
    "pydantic_core": {"cli"},
    "pydantic_settings": {"settings"},
}

SQL = ("SELECT ", "INSERT ", "UPDATE ", "DELETE FROM", "REPLACE INTO", "CREATE TABLE")


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _modules() -> Iterator[tuple[str, Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if path != PACKAGE / "__init__.py":
            yield _room(path), path, ast.parse(path.read_text())


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_room_is_on_the_map() -> None:
    assert {room for room, _, _ in _modules()} == set(DOORS)


def test_rooms_import_only_through_their_doors() -> None:
    strangers = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for room, path, tree in _modules()
        for name in _imports(tree)
        if name.startswith("kvs_graphql.") and name.split(".")[1] not in {*DOORS[room], room, "__version__"}
    ]
    assert strangers == []


def test_each_library_has_its_rooms() -> None:
    strangers = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for room, path, tree in _modules()
        for name in _imports(tree)
        if room not in LIBRARIES.get(name.split(".")[0], {room})
    ]
    assert strangers == []


def test_doors_lead_one_way() -> None:
    def beyond(room: str, seen: tuple[str, ...]) -> None:
        assert room not in seen, f"a circle: {' → '.join((*seen, room))}"
        for door in DOORS[room]:
            beyond(door, (*seen, room))

    for room in DOORS:
        beyond(room, ())


def test_only_the_store_and_the_database_speak_sql() -> None:
    strangers = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for room, path, tree in _modules()
        for node in ast.walk(tree)
        if room not in ("store", "database")
        and isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.lstrip().startswith(SQL)
    ]
    assert strangers == []


def test_resolvers_see_only_the_service() -> None:
    roots = ast.parse((PACKAGE / "api" / "roots.py").read_text())
    ours = {name.split(".")[1] for name in _imports(roots) if name.startswith("kvs_graphql.")}
    assert ours == {"api", "errors", "records", "service"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_hold_one_concept_and_functions_do_one_thing(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    long = [
        f"{node.name} has {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > 60
    ]
    assert long == []


def test_public_things_say_what_they_are() -> None:
    silent = [
        f"{path.relative_to(PACKAGE)}: {node.name}"
        for _, path, tree in _modules()
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
        and not _says_it_in_the_schema(node)
    ]
    assert silent == []


def _says_it_in_the_schema(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("strawberry" in ast.unparse(decorator) for decorator in node.decorator_list)
