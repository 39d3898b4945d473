"""The command line."""

from kvs_graphql.cli.main import main

__all__ = ["main"]
