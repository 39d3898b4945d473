"""The commands that run a service."""

import asyncio
import gc
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from kvs_graphql.cli.output import print_error, print_line, print_lines, progress_bar
from kvs_graphql.errors import BadSetting
from kvs_graphql.logs import configure_logging
from kvs_graphql.runtime import Running, raise_limit, running
from kvs_graphql.settings import Settings, load_settings
from kvs_graphql.state import State

_PROGRESS_SECONDS = 0.2
_THREAD_SWITCH_SECONDS = 0.0003
_GC_THRESHOLDS = (6_000, 1, 8_000)


async def serve_tables(settings: Settings) -> None:
    """Serve until a signal arrives.

    Raises:
        OperatorError: The service cannot start or cannot continue.
    """
    configure_logging(settings.log_level, settings.log_format)
    raise_limit(settings)
    async with running(settings) as run:
        _tune_interpreter()
        print_error(f"kvs-graphql serves {_named(settings)} at {run.url}{settings.root_path}/graphql")
        async with asyncio.TaskGroup() as tasks:
            bar = tasks.create_task(_show_progress(run)) if sys.stderr.isatty() else None
            await run.ended()
            if bar is not None:
                bar.cancel()
        await run.wait()


def _named(settings: Settings) -> str:
    """Name what is served."""
    tables = settings.catalog
    if "" in tables:
        return f"topic {settings.topic}"
    return f"{len(tables)} {'table' if len(tables) == 1 else 'tables'} ({', '.join(tables)})"


def _tune_interpreter() -> None:
    """Switch threads often, collect all garbage rarely, and exempt the objects of the start from collection.

    A read goes from the event loop to SQLite's thread and back, and waits there once for each row while the event loop
    is busy: for up to the switch interval, which is 5 ms by default.

    Reference cycles are rare here, and a full collection visits every object of every subscription. With the default
    thresholds, it takes a third of the time of a page of 1,000 entries and pauses for 100 ms. A collection of new
    objects visits 18,000 at most: a million, as they gather under an attack, held up everything for half a second, and
    50,000 for 30 to 140 ms, each second.
    """
    sys.setswitchinterval(_THREAD_SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


async def serve_demo(flags: dict[str, Any]) -> None:
    """Serve live figures of this machine from an embedded broker, with a temporary database."""
    try:
        from kvs_graphql.demo.session import figures_topics  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise BadSetting(f"The demo needs additional packages: pip install 'kvs-graphql[demo]' ({error})") from error
    with tempfile.TemporaryDirectory(prefix="kvs-graphql-demo-") as directory:
        async with figures_topics() as catalog:
            settings = load_settings(
                **{"log_level": "error"} | flags,
                bootstrap_servers=catalog.bootstrap_servers,
                tables=catalog.tables,
                database=Path(directory, "tables"),
            )
            configure_logging(settings.log_level, settings.log_format)
            raise_limit(settings)
            async with running(settings) as run:
                print_lines(
                    _WELCOME.format(
                        url=f"{run.url}{settings.root_path}",
                        broker=catalog.bootstrap_servers,
                        tables=", ".join(catalog.tables),
                        command=_command(),
                        body=orjson.dumps({"query": _TWO_TABLES}).decode(),
                    )
                )
                await run.wait()
    print_line("The demo has stopped.")


async def _show_progress(run: Running) -> None:
    """Show a progress bar on the terminal until the table has caught up."""
    columns = (TextColumn("catching up"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with progress_bar(*columns) as bar:
        task = bar.add_task("", total=None, visible=False)
        while (progress := run.progress).state is not State.LIVE:
            bar.update(
                task,
                completed=progress.position,
                total=progress.end or None,
                visible=progress.state is State.CATCHING_UP,
            )
            await asyncio.sleep(_PROGRESS_SECONDS)


def _command() -> str:
    """Return the command for this program in another terminal, whose virtual environment may not be active."""
    if shutil.which("kvs-graphql"):
        return "kvs-graphql"
    return f"{sys.executable} -m kvs_graphql" if Path(sys.argv[0]).name == "__main__.py" else sys.argv[0]


_TWO_TABLES = """{ cpuEntries { edges { node { key busy: json(pointer: "/percent") } } } \
processesEntries { edges { node { data { name cpu_percent started } } } } }"""
_WELCOME = """
kvs-graphql serves live figures of this machine from an embedded Kafka broker ({broker}).

  Dashboard    {url}/
  Playground   {url}/graphql
  Metrics      {url}/metrics
  Tables       {tables}

Try in another terminal:

  {command} get memory load --table system --url {url}
  {command} watch --table cpu --url {url}
  curl -s {url}/graphql -H 'content-type: application/json' \\
       -d '{body}'

Ctrl-C stops the demo.

"""
