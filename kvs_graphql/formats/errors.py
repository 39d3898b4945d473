"""What can be wrong with schemas, and with values beside their schemas."""

from kvs_graphql import errors


class BadSchema(Exception):
    """A schema cannot be used. The message says why, in one line."""


class Undecodable(errors.Undecodable):
    """Bytes are not what their schema says, or that is not known."""

    def __init__(self, reason: str, schema_id: int | None = None) -> None:
        """`reason` is a part of a sentence; `schema_id` what the bytes name, where they are framed."""
        named = "" if schema_id is None else f" with schema {schema_id}"
        super().__init__(f"The bytes cannot be decoded{named}: {reason}.", schemaId=schema_id, reason=reason)
        self.reason = reason


class DoesNotFit(Exception):
    """A schema has no room for a value. The message names the path and says why, in one line."""


def one_line(reason: object, chars_max: int = 300) -> str:
    """What a library says, as one line of bounded length for the message of an error."""
    text = " ".join(str(reason)[: chars_max * 2].split())
    return text if len(text) <= chars_max else text[: chars_max - 1] + "…"
