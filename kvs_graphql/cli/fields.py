"""The root fields of a service, under the names that the fields of a service without named tables have."""

import click

from kvs_graphql.table_names import is_table_name


def field_name(name: str, table: str | None) -> str:
    """The name of a table's field; of the only table's where none is named."""
    return name if table is None else f"{table}{name[0].upper()}{name[1:]}"


def root_field(name: str, table: str | None) -> str:
    """A table's field, under the alias `name`; the field itself where no table is named."""
    return name if table is None else f"{name}: {field_name(name, table)}"


def _check(_: click.Context, __: click.Parameter, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
    for table in (value,) if isinstance(value, str) else value or ():
        if not is_table_name(table):
            raise click.BadParameter(f"{table!r} is not the name of a table: letters and digits, a small letter first.")
    return value


table_option = click.option("--table", callback=_check, help="Table to use, where the service has named ones.")
tables_option = click.option(
    "--table", "tables", multiple=True, callback=_check, help="Table to follow; repeat it for several."
)
