"""The names that tables may have."""

import re

TABLE_NAME_CHARACTERS_MAX = 64
RESERVED_TABLE_NAMES = frozenset({"any"})
"""Their types would have the names of the interfaces that the types of all tables implement."""

_FORM = re.compile(rf"[a-z][A-Za-z0-9]{{0,{TABLE_NAME_CHARACTERS_MAX - 1}}}")


def has_form(name: str) -> bool:
    """Whether the name has the characters that names of tables have."""
    return _FORM.fullmatch(name) is not None


def is_table_name(name: str) -> bool:
    """Whether a table may have that name."""
    return has_form(name) and name not in RESERVED_TABLE_NAMES
