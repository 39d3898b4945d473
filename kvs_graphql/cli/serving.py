"""The commands that serve."""

import asyncio
import gc
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kvs_graphql.errors import BadSetting
from kvs_graphql.logs import configure_logging
from kvs_graphql.runtime import Running, running
from kvs_graphql.settings import Settings, load_settings
from kvs_graphql.state import State

_DEMO_TOPIC = "figures"
_PROGRESS_SECONDS = 0.2
_SWITCH_SECONDS = 0.001
_YOUNG_OBJECTS, _YOUNG_COLLECTIONS, _MIDDLE_COLLECTIONS = 50_000, 20, 100


async def serve_topic(settings: Settings) -> None:
    """Serve until a signal.

    Raises:
        OperatorError: The service cannot start, or cannot go on.
    """
    configure_logging(settings.log_level, settings.log_format)
    async with running(settings) as run:
        _settle()
        click.echo(f"kvs-graphql serves topic {settings.topic} at {run.url}/graphql", err=True)
        async with asyncio.TaskGroup() as tasks:
            bar = tasks.create_task(_show_progress(run)) if sys.stderr.isatty() else None
            await run.ended()
            if bar is not None:
                bar.cancel()
        await run.wait()


def _settle() -> None:
    """Let threads take turns often, collect garbage seldom, and never look again at what lives as long as the process.

    A read goes from the event loop to SQLite's thread and back; while a batch is written in another thread, each of
    these turns would wait 5 ms.

    Cycles are rare here, and a full collection goes through every object of every subscription: as it comes, that
    is a third of the time of a page of 1,000 entries, and pauses of 100 ms.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, _YOUNG_COLLECTIONS, _MIDDLE_COLLECTIONS)


async def serve_demo(flags: dict[str, Any]) -> None:
    """Serve this machine's figures, from an embedded broker, out of a database that is gone afterwards."""
    try:
        from kvs_graphql.demo.session import figures_topic  # noqa: PLC0415 - an extra, asked for here alone
    except ImportError as error:
        raise BadSetting(f"The demo needs more packages: pip install 'kvs-graphql[demo]' ({error}).") from error
    with tempfile.TemporaryDirectory(prefix="kvs-graphql-demo-") as directory:
        async with figures_topic(_DEMO_TOPIC) as bootstrap_servers:
            settings = load_settings(
                **{"log_level": "warning"} | flags,
                bootstrap_servers=bootstrap_servers,
                topic=_DEMO_TOPIC,
                database=Path(directory, "kvs.db"),
            )
            configure_logging(settings.log_level, settings.log_format)
            async with running(settings) as run:
                click.echo(
                    _WELCOME.format(url=run.url, broker=bootstrap_servers, topic=_DEMO_TOPIC, command=_command())
                )
                await run.wait()
    click.echo("Everything has ended.")


async def _show_progress(run: Running) -> None:
    """A bar on the terminal, from the first sight of the topic until the table has caught up."""
    columns = (TextColumn("catching up"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
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
    """What to type for this program in another terminal, where its virtual environment may not be active."""
    return "kvs-graphql" if shutil.which("kvs-graphql") else sys.argv[0]


_WELCOME = """
kvs-graphql shows this machine's live figures, from a Kafka broker of its own ({broker}, topic {topic}).

  Dashboard    {url}/
  Playground   {url}/graphql
  Metrics      {url}/metrics

Three things to try, in another terminal:

  {command} get memory load --url {url}
  {command} watch --prefix cpu/ --url {url}
  curl -s {url}/graphql -H 'content-type: application/json' \\
       -d '{{"query": "{{ entries(prefix: \\"process/\\") {{ edges {{ node {{ json(pointer: \\"/name\\") }} }} }} }}"}}'

Ctrl-C ends everything.
"""
