"""A first `kvs.toml` for the topics of a broker."""

import json
import re
from collections.abc import Mapping, Sequence, Set

from kvs_graphql.errors import BrokerRefused
from kvs_graphql.kafka.inspection import Unusable, topics_of
from kvs_graphql.registry import RegistryError, SchemaNotFound, SchemaRegistry
from kvs_graphql.schemas import open_registry_of
from kvs_graphql.settings import Settings
from kvs_graphql.table_names import is_table_name
from kvs_graphql.tables.servers import connection_of

_HEAD = """\
# The tables that kvs-graphql serves: see the README. Variables override this file: KVS_TABLES__ORDERS__TOPIC.
bootstrap_servers = "{servers}"

# A directory, with a file for each table.
database = "kvs"

{mark}[schema_registry]
{mark}url = {registry}
"""
_TABLE = """
[tables.{name}]
topic = "{topic}"
{key}# the format of keys: text, if it is not set
{value}# that of values; its schema is in a registry, or in a file: schema = "order.avsc"
# writes = true         # mutations
# required = false      # the service is ready without this table
# tombstones = "empty"  # a record without a value stores an empty one
# unreadable = "skip"   # instead of stopping the table
"""
_COMMENT_AT = len('# value = "avro"        ')


async def catalog_for(settings: Settings, types: Set[str]) -> str:
    """A commented configuration file with a table for each topic that the user may see, in the registry's formats.

    `types` has the names of the service's own types.

    Raises:
        BrokerRefused: Kafka cannot be reached, or refuses.
    """
    topics = await topics_of(connection_of(settings))
    if isinstance(topics, Unusable):
        raise BrokerRefused(f"No access to Kafka: {topics.reason}.")
    registry = settings.schema_registry.url
    formats, trouble = await _formats(settings, topics)
    head = _HEAD.format(
        servers=settings.bootstrap_servers,
        mark="# " if registry is None else "",
        # A string of JSON is one of TOML.
        registry=json.dumps(registry or "https://registry:8081"),
    )
    named = zip(names_for(topics, types), topics, strict=True)
    return head + trouble + "".join(_table(name, topic, formats) for name, topic in named)


def _table(name: str, topic: str, formats: Mapping[str, str]) -> str:
    key, value = (formats.get(f"{topic}-{part}") for part in ("key", "value"))
    return _TABLE.format(
        name=name,
        topic=topic,
        key=f'key = "{key}"'.ljust(_COMMENT_AT) if key else '# key = "long"'.ljust(_COMMENT_AT),
        value=f'value = "{value}"'.ljust(_COMMENT_AT) if value else '# value = "avro"'.ljust(_COMMENT_AT),
    )


async def _formats(settings: Settings, topics: Sequence[str]) -> tuple[dict[str, str], str]:
    """The formats of the subjects that belong to topics, and a comment on why there are not more."""
    found = dict[str, str]()
    async with open_registry_of(settings) as registry:
        if registry is None:
            return found, ""
        try:
            for subject in (f"{topic}-{part}" for topic in topics for part in ("key", "value")):
                await _add_format(registry, subject, found)
        except RegistryError as error:
            return found, f"# The formats of topics are not complete: {json.dumps(str(error))}\n"
    return found, ""


async def _add_format(registry: SchemaRegistry, subject: str, found: dict[str, str]) -> None:
    try:
        *_, newest = await registry.versions(subject)
        _, schema = await registry.version(subject, newest)
    except SchemaNotFound:
        return
    found[subject] = schema.format


def names_for(topics: Sequence[str], types: Set[str]) -> list[str]:
    """A name for the table of each topic: its words in camelCase, with a number where that is taken.

    With a schema, a table has a type of its name, which must be none of these `types`.
    """
    names, taken = list[str](), set[str]()
    for topic in topics:
        words = [word for word in re.split(r"[^A-Za-z0-9]+", topic) if word]
        joined = "".join(word[:1].upper() + word[1:] for word in words)[:48]
        name = joined[:1].lower() + joined[1:]
        name = name if is_table_name(name) and joined not in types else f"topic{joined}"
        number, free = 2, name
        while free.lower() in taken:
            free, number = f"{name}{number}", number + 1
        taken.add(free.lower())
        names.append(free)
    return names
