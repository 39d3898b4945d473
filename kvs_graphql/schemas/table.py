"""The schemas of one table: those that its records name, and the generation that is served.

What was found is kept in the table's file, so that neither a start nor a read needs the registry.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog

from kvs_graphql.errors import BadSetting, Unwritable
from kvs_graphql.formats import (
    BadSchema,
    Codec,
    FormatLimits,
    KeyFormat,
    SchemaFormat,
    SchemaText,
    TableFormats,
    cannot_read,
    load_codec,
    schema_from_json,
    schema_to_json,
)
from kvs_graphql.registry import CannotRead, Follower, RegistryError, SchemaNotFound, SchemaRegistry, Version
from kvs_graphql.schemas.generations import Change, Generations
from kvs_graphql.state import Lifecycle, SchemaStatus
from kvs_graphql.store import SCHEMA_IDS_MAX, KeptSchemas, Served, Store

log = structlog.get_logger(__name__)

KEY, VALUE = "key", "value"
"""The parts of a record that may have a schema; `TableFormats` has the same names."""

KEY_SCHEMAS_MAX = 16
"""With so many schemas the keys of a table may be written: a key is looked up in the encoding of each of them."""


@dataclass(frozen=True, slots=True)
class Part:
    """Where the schema of a table's keys or values comes from: a file, or else a subject of the registry."""

    root: str
    """The name of the root of its types in GraphQL."""
    reserved: frozenset[str]
    """Names in GraphQL that the table's other types have."""
    format: str
    file: SchemaText | None = None
    subject: str = ""
    pinned: int | None = None
    """The version of the subject to serve; None for the newest that can read all earlier ones."""
    message: str = ""
    """The full name of a Protobuf message; empty for the first one."""
    envelope: bool = False
    """Whether values are Debezium's envelopes."""


@dataclass(frozen=True, slots=True)
class SchemaLimits:
    """How long the registry is waited for."""

    wait_seconds: float
    """A read waits so long for a schema that it needs."""
    poll_seconds: float
    """So often the registry is asked for new versions, and for schemas that it did not give before."""
    formats: FormatLimits


@dataclass(frozen=True, slots=True)
class _Unserved:
    """A version that was adopted and cannot be served, as its names are those of another table's types."""

    version: Version
    reason: str
    beside: int
    """How many generations were served before it was tried."""


def cannot_read_as(form: str, message: str, *, envelope: bool = False) -> CannotRead:
    """Return what says why a version of a subject cannot be served as that format, with that message of Protobuf."""

    def able(reader: SchemaText, writer: SchemaText) -> str | None:
        if reader.format != form:
            return f"it is a schema of the format {reader.format}, not {form}"
        return cannot_read(reader, writer, message, envelope=envelope)

    return able


class TableSchemas:
    """The schemas of one table. `open` comes first, then `run`."""

    def __init__(
        self,
        table: str,
        parts: Mapping[str, Part],
        plain: TableFormats,
        registry: SchemaRegistry | None,
        store: Store,
        lifecycle: Lifecycle,
        generations: Generations,
        limits: SchemaLimits,
    ) -> None:
        """`plain` has the formats without a schema. There is a `registry` wherever a part has a subject."""
        self.formats = replace(plain, load=self.load)
        """What is served; without the formats whose schema is not known yet."""
        self._generations = generations
        self._table = table
        self._parts = parts
        self._registry = registry
        self._store = store
        self._lifecycle = lifecycle
        self._limits = limits
        self._known: dict[int, SchemaText] = {}
        self._served: dict[str, Version] = {}
        self._unserved: dict[str, _Unserved] = {}
        self._missing: set[int] = set()
        self._followers: dict[str, Follower] = {}
        self._key_codecs: dict[int, Codec] = {}
        """By id, of the schemas that keys in the table are written with."""
        self._on_key_codec: Callable[[], None] | None = None

    async def open(self) -> None:
        """Take what the file has, and the schemas in files.

        Raises:
            BadSetting: A schema in a file cannot be used.
        """
        kept = await self._store.kept_schemas()
        for schema_id, document in kept.documents.items():
            if document is None:
                self._missing.add(schema_id)
            else:
                self._known[schema_id] = schema_from_json(document)
        if KEY in self._parts and self._parts[KEY].file is None:
            self._store.schema_ids.add_in_keys(await self._store.ids_in_keys(KEY_SCHEMAS_MAX))
        for name, part in self._parts.items():
            if part.file is not None:
                try:
                    await self._serve(name, part.file)
                except BadSchema as error:
                    raise BadSetting(f"the schema of {part.root}: {error}") from None
            else:
                await self._resume(name, part, kept.served.get(name))
        await self._add_key_codecs()
        self._report()

    def listen(self, on_key_codec: Callable[[], None]) -> None:
        """Call whenever keys are looked up in one more encoding than before."""
        self._on_key_codec = on_key_codec

    async def run(self) -> None:
        """Follow the registry until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, follower in self._followers.items():
                tasks.create_task(self._follow(name, follower))
            if self._registry is not None:
                tasks.create_task(self._load_noticed())
                tasks.create_task(self._load_missing())

    async def load(self, ids: Collection[int]) -> None:
        """Load schemas, as far as that takes no longer than a read should wait; never raises."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.wait_seconds):
                await asyncio.gather(*(self._learn(one) for one in ids))

    async def find(self, schema_id: int) -> SchemaText | None:
        """Return a schema that has to be known, however long the registry is away; None where it has none such."""
        assert self._registry is not None
        try:
            while schema_id not in self._known:
                try:
                    self._known[schema_id] = schema = await self._registry.by_id(schema_id)
                    await self._keep({schema_id: schema})
                except SchemaNotFound:
                    return None
                except RegistryError as error:
                    self._lifecycle.paused = f"an envelope needs the schema {schema_id}: {error}"
                    await asyncio.sleep(self._limits.poll_seconds)
        finally:
            self._lifecycle.paused = None
        return self._known[schema_id]

    async def _resume(self, name: str, part: Part, served: Served | None) -> None:
        """Go on with what an earlier run has served, if that is there; then with what the registry says."""
        assert self._registry is not None
        version = None
        if served is not None and (schema := self._known.get(served.id)) is not None:
            version = Version(served.version, served.id, schema)
            try:
                await self._serve(name, schema, served.id)
                self._served[name] = version
            except BadSchema as error:
                log.warning("a kept schema cannot be used", id=served.id, reason=str(error))
                version = None
        self._followers[name] = Follower(
            self._registry,
            part.subject,
            cannot_read_as(part.format, part.message, envelope=part.envelope),
            pinned=part.pinned,
            served=version,
            known=self._known,
        )

    async def _follow(self, name: str, follower: Follower) -> None:
        while True:
            version = await follower.look() or self._to_be_tried_again(name)
            if version is not None:
                await self._adopt(name, version)
            self._report()
            await asyncio.sleep(self._limits.poll_seconds)

    def _to_be_tried_again(self, name: str) -> Version | None:
        """A version that could not be served, which may fit to the formats that other tables have since."""
        unserved = self._unserved.get(name)
        return unserved.version if unserved is not None and unserved.beside != self._generations.served else None

    async def _adopt(self, name: str, version: Version) -> None:
        self._known[version.id] = version.schema
        await self._keep({version.id: version.schema})
        beside = self._generations.served
        try:
            change = partial(replace, **{name: await self._format(name, version.schema, version.id)})
            reason = await self._generations.propose(self._table, change, partial(self._accept, change))
        except BadSchema as error:
            reason = str(error)
        if reason is None:
            self._served[name] = version
            self._unserved.pop(name, None)
            await self._keep({}, {name: Served(version.id, version.number)})
            return
        before = self._unserved.get(name)
        self._unserved[name] = _Unserved(version, reason, beside)
        if before is None or (before.version, before.reason) != (version, reason):
            log.warning("a schema cannot be served", part=name, version=version.number, reason=reason)

    def _accept(self, change: Change) -> None:
        self.formats = change(self.formats)

    def _report(self) -> None:
        """Show in the table's state which schemas are served."""
        self._lifecycle.schemas = tuple(self._status(*one) for one in self._followers.items())

    def _status(self, name: str, follower: Follower) -> SchemaStatus:
        served, unserved, state = self._served.get(name), self._unserved.get(name), follower.state
        refused, problem = [(one.number, one.reason) for one in state.refused], state.problem
        if unserved is not None:
            refused.append((unserved.version.number, unserved.reason))
            problem = problem or (unserved.reason if served is None else None)
        number, schema_id = (None, None) if served is None else (served.number, served.id)
        return SchemaStatus(name, self._parts[name].subject, number, schema_id, tuple(refused), problem)

    async def _serve(self, name: str, schema: SchemaText, schema_id: int | None = None) -> None:
        """Serve a schema from the start on."""
        self._accept(partial(replace, **{name: await self._format(name, schema, schema_id)}))

    async def _format(self, name: str, schema: SchemaText, schema_id: int | None) -> Any:
        codec = await self._codec(name, schema, is_framed=schema_id is not None)
        make = partial(KeyFormat, encoders=self._key_codecs) if name == KEY else SchemaFormat
        return await asyncio.to_thread(make, codec, schema, schema_id, self._known)

    async def _codec(self, name: str, schema: SchemaText, *, is_framed: bool) -> Codec:
        part, limits = self._parts[name], self._limits.formats
        make = partial(
            load_codec,
            schema,
            part.root,
            part.reserved,
            limits,
            message=part.message,
            is_framed=is_framed,
            envelope=part.envelope,
        )
        # Parsing a large schema takes long.
        return await asyncio.to_thread(make)

    async def _load_noticed(self) -> None:
        """Load the schemas that new records name, before anyone reads these."""
        ids = self._store.schema_ids
        while True:
            await ids.changed.wait()
            ids.changed.clear()
            for schema_id in ids.found - self._known.keys() - self._missing:
                await self._learn(schema_id)
            await self._add_key_codecs()

    async def _add_key_codecs(self) -> None:
        for schema_id in self._store.schema_ids.in_keys & self._known.keys() - self._key_codecs.keys():
            await self._add_key_codec(schema_id)

    async def _add_key_codec(self, schema_id: int) -> None:
        """Have keys looked up in the encoding of that schema, too."""
        if len(self._key_codecs) >= KEY_SCHEMAS_MAX:
            log.warning("keys are written with too many schemas", schemas_max=KEY_SCHEMAS_MAX, left_out=schema_id)
            return
        try:
            self._key_codecs[schema_id] = await self._codec(KEY, self._known[schema_id], is_framed=True)
        except BadSchema as error:
            log.warning("a schema of keys cannot be used", id=schema_id, reason=str(error))
            return
        if self._on_key_codec is not None:
            self._on_key_codec()

    async def _load_missing(self) -> None:
        """Ask again for the schemas that the registry did not give."""
        while True:
            for schema_id in list(self._missing):
                await self._learn(schema_id)
            await self._add_key_codecs()
            await asyncio.sleep(self._limits.poll_seconds)

    async def _learn(self, schema_id: int) -> None:
        if schema_id in self._known or self._registry is None or len(self._known) >= SCHEMA_IDS_MAX:
            return
        try:
            schema = await self._registry.by_id(schema_id)
        except SchemaNotFound:
            # Most likely no schema's id: bytes of another format look like one.
            self._missing.discard(schema_id)
            return
        except RegistryError:
            if schema_id not in self._missing and len(self._missing) < SCHEMA_IDS_MAX:
                self._missing.add(schema_id)
                await self._keep({schema_id: None})
            return
        self._missing.discard(schema_id)
        self._known[schema_id] = schema
        await self._keep({schema_id: schema})

    async def _keep(self, schemas: Mapping[int, SchemaText | None], served: Mapping[str, Served] | None = None) -> None:
        documents = {one: None if schema is None else schema_to_json(schema) for one, schema in schemas.items()}
        try:
            await self._store.keep_schemas(KeptSchemas(documents, dict(served or {})))
        except Unwritable as error:
            log.warning("a schema cannot be kept", reason=str(error))
