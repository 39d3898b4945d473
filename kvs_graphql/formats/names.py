"""Legal and unique GraphQL names for the types, fields and enumeration values of a schema.

A name depends on the name that the schema has for the thing, and on nothing else: not on the order of the schema, and
not on its other parts. Only where two things would get the same name does a short hash of the schema's names tell them
apart.

- Types: the name of the root, the parts of the type's namespace that the root's namespace does not begin with, and the
  type's own name, each in PascalCase. Of two types with the same name, both get a hash.
- Fields and enumeration values: as they are written where GraphQL allows it. Other characters become `_`, a leading
  digit gets `_` before it, several `_` at the beginning become one. If two become the same, the one that was written so
  keeps the name, and each other one gets a hash.
- Members of choices: as fields, with their first letter in lower case. If two become the same, both get a hash.
- Fields called `id` or `_id` become `id_` and `_id_`, for caches take those for identities. GraphQL does not allow
  `true`, `false` and `null` in an enumeration: they get `_` at their end.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

_ILLEGAL = re.compile(r"[^_0-9A-Za-z]")
_WORD = re.compile(r"[0-9A-Za-z]+")
_IDENTITIES = frozenset({"id", "_id"})
_LITERALS = frozenset({"true", "false", "null"})


def type_name(root: str, root_namespace: Sequence[str], namespace: Sequence[str], name: str) -> str:
    """The name of a type other than the root, before `unique_type_names` makes it unique.

    Args:
        root: The root's name in GraphQL.
        root_namespace: The parts of the namespace that the schema has the root in.
        namespace: The parts of the type's own, with the types that enclose it.
        name: The type's own name in the schema.
    """
    common = 0
    while common < min(len(root_namespace), len(namespace)) and root_namespace[common] == namespace[common]:
        common += 1
    return part_name(root, *namespace[common:], name)


def part_name(owner: str, *parts: str) -> str:
    """The name of something that the schema has no name for: the name of a type in GraphQL and the path from there."""
    return owner + "".join(map(_pascal, parts))


def unique_type_names(wanted: Mapping[str, str], reserved: Collection[str]) -> dict[str, str]:
    """The final names of types.

    Args:
        wanted: From what identifies a type in its schema, its full name or a path, to its name so far.
        reserved: Names of other types. A type that would get one of them gets `_` at its end.
    """
    legal = {key: _legal_type_name(name, reserved) for key, name in wanted.items()}
    return _told_apart(legal, frozenset(), reserved)


def field_names(keys: Iterable[str]) -> dict[str, str]:
    """From the names that a schema has for the fields of one type to those in GraphQL."""
    return _unique_parts(keys, _IDENTITIES)


def enum_value_names(keys: Iterable[str]) -> dict[str, str]:
    """From the names that a schema has for the values of one enumeration to those in GraphQL."""
    return _unique_parts(keys, _LITERALS)


def member_names(texts: Mapping[str, str]) -> dict[str, str]:
    """Names for the members of a choice, as fields of an input.

    Args:
        texts: From what identifies a member, such as its full name, to its own name.
    """
    legal = {key: legal_name(text[:1].lower() + text[1:]) for key, text in texts.items()}
    return _told_apart(_apart_from(_IDENTITIES, legal), frozenset(), _IDENTITIES)


def legal_name(text: str) -> str:
    """A text as a GraphQL name that is not reserved for introspection."""
    name = _ILLEGAL.sub("_", text)
    if name.startswith("__"):
        name = "_" + name.lstrip("_")
    return name if name and not name[0].isdigit() else f"_{name}"


def _unique_parts(keys: Iterable[str], words: Collection[str]) -> dict[str, str]:
    legal = _apart_from(words, {key: legal_name(key) for key in keys})
    return _told_apart(legal, {key for key, name in legal.items() if key == name}, words)


def _apart_from(words: Collection[str], names: dict[str, str]) -> dict[str, str]:
    return {key: f"{name}_" if name in words else name for key, name in names.items()}


def _told_apart(names: dict[str, str], keeping: Collection[str], reserved: Collection[str]) -> dict[str, str]:
    """The same names, each with a hash of its key if it occurs again or is reserved, apart from those in `keeping`."""
    for length in range(8, 65, 8):
        counts = Counter(names.values())
        clashing = {
            key: name for key, name in names.items() if key not in keeping and (counts[name] > 1 or name in reserved)
        }
        if not clashing:
            break
        names = names | {key: _with_hash(name, key, length) for key, name in clashing.items()}
    return names


def _legal_type_name(name: str, reserved: Collection[str]) -> str:
    legal = legal_name(name)
    return legal + "_" if legal in reserved or legal.endswith("Input") else legal


def _pascal(text: str) -> str:
    """`order_line`, `order-line` and `orderLine` as `OrderLine`. A text without any word is `_`."""
    return "".join(word[0].upper() + word[1:] for word in _WORD.findall(text)) or "_"


def _with_hash(name: str, key: str, length: int) -> str:
    digits = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:length]
    return f"{name}{digits}" if name == "_" else f"{name}_{digits}"
