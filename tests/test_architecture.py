"""The rooms and the doors between them, as data. A new door is a deliberate change to this file."""

import ast
import sys
from collections.abc import Iterator
from importlib import import_module
from inspect import getmembers, isclass
from pathlib import Path

import pytest

import kvs_graphql

PACKAGE = Path(kvs_graphql.__file__).parent
TESTS = Path(__file__).parent

# Which rooms a room imports.
DOORS: dict[str, set[str]] = {
    "__main__": {"cli"},
    "compat": set(),  # open to every room that may import the library
    "errors": set(),
    "backoff": set(),
    "records": set(),
    "cursor": {"errors", "records"},
    "state": {"records"},
    "access": set(),
    "loopback": set(),
    "auth": {"access", "errors", "loopback", "throttle"},
    "turns": set(),
    "throttle": set(),
    "budget": {"turns", "errors"},
    "credentials": {"errors"},
    "outgoing": set(),
    "oauth": {"credentials", "outgoing"},
    "table_names": set(),
    "settings": {"access", "credentials", "loopback", "errors", "printable", "table_names"},
    "metrics": set(),
    "printable": set(),
    "logs": {"printable"},
    "database_files": {"errors"},
    "database": {"database_files", "errors"},
    "store": {"database", "database_files", "records", "cursor", "errors"},
    "feed": {"records", "cursor", "errors"},
    "cursor_validation": {"feed", "records", "cursor"},
    "watch": {"store", "feed", "cursor_validation", "turns", "records", "cursor", "errors"},
    "kafka": {"backoff", "credentials", "oauth", "store", "feed", "state", "records", "cursor", "errors", "metrics"},
    "service": {
        *("access", "cursor", "cursor_validation", "errors", "feed", "records", "state", "store", "throttle", "turns"),
        "watch",
    },
    "formats": {"errors", "exact_json"},
    "registry": {"backoff", "formats", "oauth", "outgoing"},
    "schemas": {"errors", "formats", "oauth", "registry", "settings", "state", "store"},
    "tables": {
        *("credentials", "errors", "feed", "formats", "kafka", "metrics", "oauth", "registry", "schemas"),
        *("service", "settings", "state", "store"),
    },
    "preflight": {"errors", "formats", "kafka", "registry", "schemas", "settings", "store", "table_names", "tables"},
    "exact_json": {"turns"},
    "api": {"service", "access", "budget", "exact_json", "formats", "records", "errors", "metrics", "turns"},
    "executor": {"api", "service", "access", "budget", "errors", "metrics", "throttle", "turns"},
    "web": {"executor", "api", "service", "auth", "loopback", "throttle", "turns", "access", "metrics", "errors"},
    "runtime": {
        *("access", "api", "auth", "budget", "errors", "executor", "formats", "loopback", "metrics"),
        *("schemas", "service", "settings", "state", "tables", "web"),
    },
    "client": {"backoff", "errors"},
    "demo": set(),
    "cli": {
        *("api", "auth", "client", "demo", "errors", "exact_json", "logs", "preflight", "printable"),
        *("runtime", "schemas", "settings", "state", "table_names"),
    },
}

# Which rooms import a library, directly or through its module in `compat`. Libraries that are not listed are free.
LIBRARIES: dict[str, set[str]] = {
    "aiosqlite": {"database"},
    "sqlite3": {"database", "store"},
    "aiokafka": {"kafka"},
    "confluent_kafka": {"demo"},
    "psutil": {"demo"},
    "strawberry": {"api", "executor"},
    "graphql": {"api", "cli", "executor"},
    "fastavro": {"demo", "formats"},
    "google": {"formats"},
    "grpc_tools": {"formats"},
    "jsonschema_rs": {"formats"},
    "msgspec": {"exact_json"},
    "cachetools": {"api", "auth", "executor", "registry", "service", "web"},
    "jwt": {"auth"},
    "jsonpointer": {"api"},
    "starlette": {"web"},
    "limits": {"web"},
    "uvicorn": {"runtime"},
    "websockets": {"runtime"},
    "httptools": set(),
    "uvloop": {"cli"},
    "httpx": {"auth", "client", "kafka", "oauth", "outgoing", "registry"},
    "httpx_sse": {"client"},
    "click": {"cli"},
    "rich": {"cli"},
    "prometheus_client": {"metrics"},
    "pydantic": {"settings", "cli"},
    "pydantic_settings": {"settings"},
}

NAMED_TUPLE_METHODS = {"_make", "_replace", "_asdict", "_fields"}
MADE_BY_METACLASSES = {"_abc_impl", "_is_protocol"}

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


def _lines(problems: list[str]) -> str:
    return "\n".join(["", *problems])


def _library(name: str) -> str:
    """The library that an import is of; a module in `compat` counts as the library that it is named after."""
    return name.removeprefix("kvs_graphql.compat.").split(".")[0]


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _own_names(tree: ast.Module) -> set[str]:
    """Every name that a module defines or assigns."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return names


def _private_uses(tree: ast.Module) -> Iterator[str]:
    """Private names that a module takes from other objects, from its base classes or from libraries."""
    own_names = _own_names(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name) if name in own_names:
                pass
            case ast.Attribute(attr=name) if _is_private(name) and name not in NAMED_TUPLE_METHODS:
                yield name
            case ast.Call(
                func=ast.Name(id="getattr" | "setattr" | "hasattr"), args=[_, ast.Constant(value=str(name)), *_]
            ):
                yield from [name] if _is_private(name) else []
            case ast.Import() | ast.ImportFrom():
                parts = {part for name in _imports(ast.Module([node], [])) for part in name.split(".")}
                yield from sorted(filter(_is_private, parts))


def _private_overrides(path: Path) -> Iterator[str]:
    """Private methods of libraries' classes that a module's classes override."""
    name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for _, ours in getmembers(import_module(name), isclass):
        for base in ours.__mro__[1:] if ours.__module__ == name else ():
            if base.__module__.split(".")[0] not in {"kvs_graphql", *sys.stdlib_module_names}:
                yield from filter(_is_private, vars(ours).keys() & vars(base).keys() - MADE_BY_METACLASSES)


def test_every_room_is_on_the_map() -> None:
    assert {room for room, _, _ in _modules()} == set(DOORS)


def test_rooms_import_only_through_their_doors() -> None:
    strangers = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for room, path, tree in _modules()
        for name in _imports(tree)
        if name.startswith("kvs_graphql.") and name.split(".")[1] not in {*DOORS[room], room, "compat", "__version__"}
    ]
    assert not strangers, _lines(strangers)


def test_each_library_has_its_rooms() -> None:
    strangers = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for room, path, tree in _modules()
        for name in _imports(tree)
        if room not in {"compat", *LIBRARIES.get(_library(name), {room})}
    ]
    assert not strangers, _lines(strangers)


def test_every_door_is_used() -> None:
    used = {(room, name.split(".")[1]) for room, _, tree in _modules() for name in _imports(tree) if "." in name}
    unused = [
        f"no module of {room} imports {door}: remove this door"
        for room, doors in DOORS.items()
        for door in sorted(doors)
        if (room, door) not in used
    ]
    assert not unused, _lines(unused)


def test_every_room_of_a_library_imports_it() -> None:
    used = {(_library(name), room) for room, _, tree in _modules() for name in _imports(tree)}
    unused = [
        f"no module of {room} imports {library}: remove it from LIBRARIES"
        for library, rooms in LIBRARIES.items()
        for room in sorted(rooms)
        if (library, room) not in used
    ]
    assert not unused, _lines(unused)


def test_private_names_of_libraries_stay_in_compat() -> None:
    uses = {
        (str(path.relative_to(PACKAGE)), name)
        for room, path, tree in _modules()
        if room not in ("compat", "__main__")
        for name in (*_private_uses(tree), *_private_overrides(path))
    }
    strangers = [f"{file} uses {name}: move it into kvs_graphql/compat" for file, name in sorted(uses)]
    assert not strangers, _lines(strangers)


def test_every_compat_module_has_a_canary() -> None:
    modules = {path.stem for path in (PACKAGE / "compat").glob("*.py")} - {"__init__"}
    canaries = {path.stem.removeprefix("test_") for path in (TESTS / "compat").glob("test_*.py")}
    missing = [f"tests/compat/test_{module}.py is missing" for module in sorted(modules - canaries)]
    orphans = [f"kvs_graphql/compat/{module}.py is missing" for module in sorted(canaries - modules)]
    assert not missing + orphans, _lines(missing + orphans)


def test_commands_print_only_by_way_of_their_output() -> None:
    """So that nothing reaches a terminal which is not printable."""
    printing = {"click.echo", "click.secho", "click.style", "sys.stdout.write", "sys.stderr.write"}
    strangers = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for room, path, tree in _modules()
        if room == "cli" and path.name != "output.py"
        for name in (
            *(name for name in _imports(tree) if name.startswith("rich.") and not name.startswith("rich.progress.")),
            *(ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)),
        )
        if name in printing or name.startswith("rich.")
    ]
    assert not strangers, _lines(strangers)


def test_doors_form_no_cycle() -> None:
    def follow(room: str, seen: tuple[str, ...]) -> None:
        assert room not in seen, f"a cycle: {' → '.join((*seen, room))}"
        for door in DOORS[room]:
            follow(door, (*seen, room))

    for room in DOORS:
        follow(room, ())


def test_only_the_store_and_the_database_contain_sql() -> None:
    strangers = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for room, path, tree in _modules()
        for node in ast.walk(tree)
        if room not in ("store", "database")
        and isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.lstrip().startswith(SQL)
    ]
    assert not strangers, _lines(strangers)


def test_resolvers_see_only_the_service() -> None:
    with_resolvers = {path.name: tree for room, path, tree in _modules() if room == "api" and _has_resolvers(tree)}
    assert set(with_resolvers) >= {"queries.py", "subscriptions.py", "tables.py", "types.py", "writes.py"}
    strangers = [
        f"api/{file} imports {name}"
        for file, tree in with_resolvers.items()
        for name in _imports(tree)
        if name.startswith("kvs_graphql.")
        and name.split(".")[1] not in {"api", "errors", "formats", "records", "service", "__version__"}
    ]
    assert not strangers, _lines(strangers)


def _has_resolvers(tree: ast.Module) -> bool:
    """Whether a module has methods, or functions given to `root_field`, that Strawberry calls for a field."""
    return any(
        any("strawberry" in ast.unparse(decorator) for decorator in node.decorator_list)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        else isinstance(node, ast.Call) and ast.unparse(node.func) == "root_field"
        for node in ast.walk(tree)
    )


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    long = [
        f"{node.name} has {_own_lines(node)} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _own_lines(node) > 60
    ]
    assert not long, _lines(long)


def _own_lines(node: ast.AST) -> int:
    """The lines of a function without those of functions and classes in it, which count for themselves."""
    lines = int(getattr(node, "end_lineno", 0)) - int(getattr(node, "lineno", 0)) + 1
    below = [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.stmt)]
    parts = [one for one in below if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    return lines - sum(int(one.end_lineno or 0) - one.lineno + 1 for one in parts)


def test_public_names_have_docstrings() -> None:
    undocumented = [
        f"{path.relative_to(PACKAGE)}: {node.name}"
        for _, path, tree in _modules()
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
        and not _is_described_in_the_schema(node)
    ]
    assert not undocumented, _lines(undocumented)


def _is_described_in_the_schema(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("strawberry" in ast.unparse(decorator) for decorator in node.decorator_list)
