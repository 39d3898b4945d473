"""The commands about the configuration: `check`, `init` and `schema`."""

from functools import partial
from pathlib import Path

from kvs_graphql.api import names_of_types, print_schema
from kvs_graphql.cli.output import print_line, print_lines, print_table
from kvs_graphql.errors import BadSetting
from kvs_graphql.preflight import catalog_for, check_tables
from kvs_graphql.runtime import check_graph, check_settings
from kvs_graphql.schemas import formats_of
from kvs_graphql.settings import Settings


async def check(settings: Settings) -> int:
    """Print what was found about each table, and what to do. Return exit code 1 if there is a problem.

    A service with these settings may be running: neither its address nor the locks of its files are tried.

    Raises:
        BadSetting: The start would be refused, whatever the tables are.
    """
    check_settings(settings)
    findings = await check_tables(settings, partial(check_graph, settings))
    rows = [
        [one.table, ("problem", "bold red") if one.is_problem else "note" if one.remedy else "ok", one.text, one.remedy]
        for one in findings
    ]
    print_table(rows, ("table", "", "found", "what to do"))
    return int(any(one.is_problem for one in findings))


async def print_graph(settings: Settings) -> None:
    """Print the GraphQL schema of the tables.

    Raises:
        BadSetting: The schema of a table cannot be used, or the registry does not give it.
    """
    writable = {name: table.writes or name == "" for name, table in settings.catalog.items()}
    print_lines(print_schema(writable, await formats_of(settings)))


async def init(settings: Settings, path: Path) -> None:
    """Write a configuration file for the topics of the broker.

    Raises:
        BadSetting: The file is there already, or cannot be written.
        BrokerRefused: Kafka cannot be reached, or refuses.
    """
    text = await catalog_for(settings, names_of_types())
    try:
        with path.open("x") as file:
            file.write(text)
    except OSError as error:
        raise BadSetting(f"{path}: {error.strerror}") from None
    print_line(f"wrote {path}; check it with: kvs-graphql check")
