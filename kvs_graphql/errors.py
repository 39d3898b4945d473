"""Every error of this project, as one tree; who is to blame picks the branch.

    KvsError
    ├── ClientError                 the request cannot be answered as asked
    │   ├── BadInput                BAD_INPUT
    │   ├── BadKey                  BAD_KEY
    │   ├── TooManyKeys             TOO_MANY_KEYS
    │   ├── NotUtf8                 NOT_UTF8
    │   ├── NotJson                 NOT_JSON
    │   ├── BadCursor               BAD_CURSOR
    │   ├── LimitExceeded           LIMIT_EXCEEDED
    │   ├── ValueTooLarge           VALUE_TOO_LARGE
    │   └── Forbidden               FORBIDDEN
    ├── ServiceError                the request is fine, the service cannot answer it now
    │   ├── NotCaughtUp             NOT_CAUGHT_UP
    │   ├── KafkaUnavailable        KAFKA_UNAVAILABLE
    │   ├── WriteOutcomeUnknown     WRITE_OUTCOME_UNKNOWN
    │   └── Unavailable             UNAVAILABLE
    │       └── Unwritable          the database takes no writes now: full, locked, read-only
    ├── RemoteError                 a command's service answered with errors
    ├── Unreachable                 a command's service did not answer
    └── OperatorError               somebody who runs the service has to act; ends the process
        ├── BadSetting
        ├── DatabaseError           the file cannot be used: held by another writer, newer
        │   └── Damaged             what is in it is not what was written
        ├── TopicMismatch           the database holds a topic of another name
        ├── BrokerRefused           Kafka answers, and says no: authentication, authorisation
        └── UnreadableRecord        a record that nobody can read, and that must not be left out silently

Codes are stable: clients may switch on them. `INTERNAL`, `WRITES_DISABLED`, `GRAPHQL_PARSE_FAILED` and
`GRAPHQL_VALIDATION_FAILED` belong to no class here: they are given to errors of other origin.
"""

from typing import ClassVar, Self


class KvsError(Exception):
    """The root. `code` is what a client sees as `extensions.code`; `details` go beside it."""

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.details = details


class ClientError(KvsError):
    """The request cannot be answered as it was asked; asking again will not help."""


class BadInput(ClientError):
    """An argument has a value that is not allowed."""

    code = "BAD_INPUT"


class BadKey(ClientError):
    """A key (or a node id) is empty, too long, or not in the encoding it claims."""

    code = "BAD_KEY"


class TooManyKeys(ClientError):
    """A request names more keys than `KVS_KEYS_PER_REQUEST_MAX`."""

    code = "TOO_MANY_KEYS"


class NotUtf8(ClientError):
    """A value was asked for as text, and its bytes are not UTF-8."""

    code = "NOT_UTF8"


class NotJson(ClientError):
    """A value was asked for as JSON, and it is not."""

    code = "NOT_JSON"


class BadCursor(ClientError):
    """A cursor cannot be decoded, or belongs to another topic."""

    code = "BAD_CURSOR"


class LimitExceeded(ClientError):
    """A limit of the service was reached; the message names it."""

    code = "LIMIT_EXCEEDED"

    @classmethod
    def of(cls, setting: str, limit: int, what: str) -> Self:
        """The error of a setting that limits how many there may be of what."""
        return cls(f"There are {limit} {what}, as many as are allowed.", limit=limit, setting=setting)


class ValueTooLarge(ClientError):
    """A value is larger than the service allows, or than the topic does; it was not written."""

    code = "VALUE_TOO_LARGE"


class Forbidden(ClientError):
    """Kafka does not allow this service what was asked for; it was not done."""

    code = "FORBIDDEN"


class ServiceError(KvsError):
    """The request is fine; the service cannot answer it now. Asking again later may help."""


class NotCaughtUp(ServiceError):
    """`atLeast` was not reached within `maxWait` seconds."""

    code = "NOT_CAUGHT_UP"


class KafkaUnavailable(ServiceError):
    """Kafka did not get a write. A promise: it will not get it later either."""

    code = "KAFKA_UNAVAILABLE"


class WriteOutcomeUnknown(ServiceError):
    """Kafka was handed a write and did not answer in time: it may have it, or get it later."""

    code = "WRITE_OUTCOME_UNKNOWN"


class Unavailable(ServiceError):
    """The service is starting, stopping or unable to read its table."""

    code = "UNAVAILABLE"


class Unwritable(Unavailable):
    """The database takes no writes now: the disk is full, somebody holds a lock, the file is read-only."""


class RemoteError(KvsError):
    """The service that a command asked answered with errors; `remote_code` is the first one's code."""

    def __init__(self, message: str, *, remote_code: str | None) -> None:
        super().__init__(message)
        self.remote_code = remote_code


class Unreachable(KvsError):
    """The service that a command asked does not answer."""


class OperatorError(KvsError):
    """Somebody who runs the service has to act. The process ends with `exit_code`."""

    code = "UNAVAILABLE"
    exit_code: ClassVar[int] = 1


class BadSetting(OperatorError):
    """A setting has a value that is not allowed; the message names its variable."""

    exit_code = 2


class DatabaseError(OperatorError):
    """The database file cannot be used: another writer holds it, it is newer, or it is damaged."""

    exit_code = 3


class Damaged(DatabaseError):
    """The database holds something else than was written into it. At the next start it is put aside."""


class TopicMismatch(OperatorError):
    """The database holds a topic of another name."""

    exit_code = 4


class BrokerRefused(OperatorError):
    """Kafka answers and refuses: authentication, authorisation."""

    exit_code = 5


class UnreadableRecord(OperatorError):
    """A batch is corrupt, too large, or compressed in an unknown way; the message tells where it is."""

    exit_code = 5
