"""Where settings come from besides flags: variables, `.env`, and `kvs.toml`."""

import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from kvs_graphql.settings.formats import FORMAT_FIELDS

CONFIG_VARIABLE = "KVS_CONFIG"
_DEFAULT_CONFIG = Path("kvs.toml")
_WHAT_IS_SERVED = frozenset({"tables", "topic", "enable_writes", *FORMAT_FIELDS})


class ConfigFile(PydanticBaseSettingsSource):
    """The settings in `kvs.toml`, or in the file that `KVS_CONFIG` names."""

    def __init__(self, settings: type[BaseSettings]) -> None:
        """Raises: ValueError: The file that `KVS_CONFIG` names is not there, or a file cannot be read as TOML."""
        super().__init__(settings)
        named = os.environ.get(CONFIG_VARIABLE)
        path = Path(named) if named else _DEFAULT_CONFIG
        self.values: dict[str, Any] = {}
        # What is there but no file, such as a mount of a file that is missing, is a mistake.
        if not named and not os.path.lexists(path):
            return
        try:
            self.values = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            where = f"{CONFIG_VARIABLE}={named}" if named else f"{path}"
            raise ValueError(f"{where}: {error.strerror}") from None
        except RecursionError:
            raise ValueError(f"{path} is nested too deeply") from None
        except ValueError as error:
            raise ValueError(f"{path} is not TOML: {error}") from None
        for name in self.values:
            if name not in settings.model_fields:
                raise ValueError(f"{path}: {name}: there is no such setting")

    @property
    def tables(self) -> Iterable[str]:
        """The names of the tables that it has."""
        tables = self.values.get("tables", {})
        return tables if isinstance(tables, dict) else ()

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """One setting, as pydantic-settings wants it."""
        return self.values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self.values


class Variables(PydanticBaseSettingsSource):
    """Variables, of which those of tables match the names in the file without regard to case, and create no table."""

    def __init__(self, inner: PydanticBaseSettingsSource, tables: Iterable[str]) -> None:
        super().__init__(inner.settings_cls)
        self._inner = inner
        self._names = {name.lower(): name for name in tables}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """One setting, as pydantic-settings wants it."""
        return self._inner.get_field_value(field, field_name)

    def __call__(self) -> dict[str, Any]:
        values = self._inner()
        tables = values.get("tables")
        if not isinstance(tables, dict):
            return values
        found = dict[str, Any]()
        for name, own in tables.items():
            if name.lower() not in self._names:
                known = ", ".join(self._names.values()) or "none"
                raise ValueError(f"KVS_TABLES__{name.upper()}: no such table in the configuration file; it has {known}")
            in_file = self._names[name.lower()]
            # KVS_TABLES itself may spell the name as the file does; the variables of single values never do.
            spelled: Any = found.get(in_file)
            both = isinstance(spelled, dict) and isinstance(own, dict)
            found[in_file] = {**spelled, **own} if both else own
        return {**values, "tables": found}


class WithoutTopics(PydanticBaseSettingsSource):
    """A source of all but what is served, where flags say that already, as the demo's do."""

    def __init__(self, inner: PydanticBaseSettingsSource) -> None:
        super().__init__(inner.settings_cls)
        self._inner = inner

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """One setting, as pydantic-settings wants it."""
        return self._inner.get_field_value(field, field_name)

    def __call__(self) -> dict[str, Any]:
        return {name: value for name, value in self._inner().items() if name not in _WHAT_IS_SERVED}
