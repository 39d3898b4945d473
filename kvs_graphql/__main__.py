"""`python -m kvs_graphql` is `kvs-graphql`."""

from kvs_graphql.cli import main

main()
