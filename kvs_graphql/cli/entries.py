"""Entries, and what else names a key: selected, and shown as rows for people or as objects for scripts."""

from base64 import b64decode
from typing import Any

from kvs_graphql.cli.output import Cell
from kvs_graphql.cli.selections import Incomplete, Selection
from kvs_graphql.cli.tables import TableFields
from kvs_graphql.errors import RemoteError
from kvs_graphql.printable import printable_json

_PLACE = "partition offset timestamp"


def key_selection(fields: TableFields) -> str:
    """Select the key of an entry, update or write."""
    if fields.shown_key is None:
        return "key"
    return f"key: keyData {fields.shown_key.text} keyBase64: key(encoding: BASE64)"


def entry_selection(fields: TableFields, *, as_json: bool) -> str:
    """Select an entry. Only scripts get typed data, since people would see the same twice."""
    typed = "" if fields.shown_data is None else " json"
    if fields.shown_data is not None and as_json:
        typed += f" data {fields.shown_data.text}"
    return f"id {key_selection(fields)}{typed} value(encoding: BASE64) {_PLACE}"


def shown_key(found: dict[str, Any], fields: TableFields) -> dict[str, Any]:
    """The key for scripts. One that cannot be decoded is base64, as `keyBase64`."""
    if fields.shown_key is None or found["key"] is None:
        return {"key": found["key"]}
    try:
        return {"key": fields.shown_key.show(found["key"])}
    except (Incomplete, RemoteError):
        return {"key": None, "keyBase64": found["keyBase64"]}


def shown_entry(entry: dict[str, Any], fields: TableFields) -> dict[str, Any]:
    """An entry for scripts. Text that is not UTF-8 is base64, as `valueBase64`; so is what cannot be decoded."""
    shown = _shown_text(entry) if fields.shown_data is None else _shown_data(entry, fields.shown_data)
    return {"id": entry["id"], **shown_key(entry, fields), **shown, **{name: entry[name] for name in _PLACE.split()}}


def key_cell(found: dict[str, Any], fields: TableFields) -> str:
    """The key for people."""
    shown = shown_key(found, fields)
    if "keyBase64" in shown:
        return f"base64 {shown['keyBase64']}"
    return key_text(shown["key"])


def key_text(key: Any) -> str:
    """A key as the command line takes it."""
    return key if isinstance(key, str) else printable_json(key)


def value_cell(entry: dict[str, Any], fields: TableFields) -> Cell:
    """The value for people."""
    if fields.shown_data is None:
        return _bytes(entry).decode(errors="backslashreplace")
    json = entry["json"]
    return (f"not decodable: {json}", "dim") if isinstance(json, RemoteError) else printable_json(json)


def _shown_text(entry: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"value": _bytes(entry).decode()}
    except UnicodeDecodeError:
        return {"value": None, "valueBase64": entry["value"]}


def _shown_data(entry: dict[str, Any], selection: Selection) -> dict[str, Any]:
    json = entry["json"]
    if isinstance(json, RemoteError):
        return {"data": None, "json": None, "valueBase64": entry["value"], "undecodable": str(json)}
    try:
        return {"data": selection.show(entry["data"]), "json": json}
    except (Incomplete, RemoteError):
        return {"data": None, "json": json}


def _bytes(entry: dict[str, Any]) -> bytes:
    raw: bytes = b64decode(entry["value"])
    return raw
