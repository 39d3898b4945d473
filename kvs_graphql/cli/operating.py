"""The commands of operators: those that serve, and those about the configuration."""

import sys
from pathlib import Path
from typing import Any

import click

from kvs_graphql.auth import hash_of, new_token
from kvs_graphql.cli import configuration
from kvs_graphql.cli.options import settings_options
from kvs_graphql.cli.output import print_lines
from kvs_graphql.cli.running import run
from kvs_graphql.cli.serving import serve_demo, serve_tables
from kvs_graphql.cli.texts import sendable
from kvs_graphql.settings import load_settings


@click.command()
@settings_options
def serve(**flags: str) -> None:
    """Serve a topic, or the tables of kvs.toml, until stopped."""
    run(serve_tables(load_settings(**flags)))


@click.command()
@settings_options
def check(**flags: str) -> None:
    """Check the settings, the brokers, and the topic of each table. The exit code is 1 if one would not be ready."""
    sys.exit(run(configuration.check(load_settings(**flags))))


@click.command()
@click.option("--bootstrap-servers", help="Kafka brokers, as host:port, comma-separated.")
@click.option("--schema-registry-url", help="Schema registry, whose subjects tell the formats of topics.")
@click.argument("file", default="kvs.toml", type=click.Path(path_type=Path))
def init(bootstrap_servers: str | None, schema_registry_url: str | None, file: Path) -> None:
    """Write a kvs.toml, with comments, that has a table for each topic of the brokers."""
    flags: dict[str, Any] = {} if bootstrap_servers is None else {"bootstrap_servers": bootstrap_servers}
    if schema_registry_url is not None:
        flags["schema_registry"] = {"url": schema_registry_url}
    run(configuration.init(load_settings(**flags), file))


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", help="Port to listen on; 0 picks a free one.")
def demo(**flags: str | None) -> None:
    """Serve live figures of this machine from an embedded Kafka broker until stopped."""
    run(serve_demo({name: value for name, value in flags.items() if value is not None}))


@click.command()
@click.argument("name", default="client", callback=sendable)
def token(name: str) -> None:
    """Make a static bearer token for a principal of that name, and print it with what to set.

    Only its hash is set: whoever reads the configuration cannot use it. The token is not shown again.
    """
    made = new_token()
    print_lines(f"token, for the client:    {made}\nsetting, for the service: KVS_TOKENS={name}:{hash_of(made)}\n")


@click.command()
def schema() -> None:
    """Print the GraphQL schema of the configured tables, as `serve` would serve it.

    Schemas come from their files, or from the registry. Of a single topic, the mutations are printed in any case.
    """
    run(configuration.print_graph(load_settings()))
