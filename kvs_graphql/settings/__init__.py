"""Every setting: of the service, and of each of its tables; and where they are read from."""

from kvs_graphql.settings.formats import FormatSettings
from kvs_graphql.settings.grants import GrantSettings
from kvs_graphql.settings.limits import from_settings
from kvs_graphql.settings.loading import load_settings
from kvs_graphql.settings.names import variable
from kvs_graphql.settings.secrets import revealed, secret_of
from kvs_graphql.settings.settings import DEFAULT_CONNECTIONS_MAX, Settings
from kvs_graphql.settings.tables import TableSettings

__all__ = [
    "DEFAULT_CONNECTIONS_MAX",
    "FormatSettings",
    "GrantSettings",
    "Settings",
    "TableSettings",
    "from_settings",
    "load_settings",
    "revealed",
    "secret_of",
    "variable",
]
