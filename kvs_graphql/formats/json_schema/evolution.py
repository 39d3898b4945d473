"""Whether values that were written by one version of a schema have the shape that another one has."""

from collections.abc import Iterator

from kvs_graphql.formats.json_schema.model import Entries, Items, Leaf, Model, Record, Union, Use, Words
from kvs_graphql.formats.shapes import ScalarKind

_READS: dict[ScalarKind, frozenset[ScalarKind]] = {
    ScalarKind.INT64: frozenset({ScalarKind.INT}),
    ScalarKind.FLOAT: frozenset({ScalarKind.INT, ScalarKind.INT64}),
    ScalarKind.STRING: frozenset(
        {ScalarKind.DATETIME, ScalarKind.DATE, ScalarKind.TIME, ScalarKind.UUID, ScalarKind.DURATION}
    ),
}


def cannot_read(reader: Use, writer: Use) -> str | None:
    """Why a reader's model has no room for the writer's values: the first reason, in one line. None if it has."""
    return next(_problems(reader, writer), None)


def _problems(reader: Use, writer: Use) -> Iterator[str]:
    pending = [("the value", reader, writer)]
    seen = set()
    while pending:
        where, use, before = pending.pop()
        if (id(use.model), id(before.model)) in seen or use.model == Leaf(ScalarKind.JSON):
            continue
        if not isinstance(use.model, Leaf):
            seen.add((id(use.model), id(before.model)))
        if before.nullable and not use.nullable and where != "the value":
            yield f"{where} was not always there, or could be null"
        match use.model, before.model:
            case Record() as model, Record() as was:
                yield from _record_problems(model, was, pending)
            case Union() as model, Union() as was:
                yield from _union_problems(where, model, was, pending)
            case (Items(item=item), Items(item=was_item)):
                pending.append((f"an item of {where}", item, was_item))
            case Entries() as model, Entries() as was:
                pending.append((f"a value of {where}", model.value, was.value))
            case model, was:
                yield from _leaf_problems(where, model, was)


def _record_problems(model: Record, was: Record, pending: list[tuple[str, Use, Use]]) -> Iterator[str]:
    before = {one.key: one for one in was.properties}
    for one in model.properties:
        if one.key in before:
            old = before[one.key]
            pending.append((one.key, Use(one.use.model, one.nullable), Use(old.use.model, old.nullable)))
        elif not one.nullable:
            yield f"{one.key} is required, but was not always"


def _union_problems(where: str, model: Union, was: Union, pending: list[tuple[str, Use, Use]]) -> Iterator[str]:
    if model.tag != was.tag:
        yield f"{where} was told apart by {was.tag} before"
    for word, member in was.members.items():
        if word not in model.members:
            yield f"{where} could be {word} before"
        else:
            pending.append((f"{where} as {word}", Use(model.members[word]), Use(member)))


def _leaf_problems(where: str, model: Model, was: Model) -> Iterator[str]:
    match model, was:
        case Leaf(kind=kind), Leaf(kind=before) if kind == before or before in _READS.get(kind, ()):
            return
        case Leaf(kind=ScalarKind.STRING), Words():
            return
        case Words(words=words), Words(words=before) if set(before) <= set(words):
            return
        case Words(words=words), Words(words=before):
            yield f"{where} could be {min(set(before) - set(words))} before"
        case _:
            yield f"{where} was of another type before"
