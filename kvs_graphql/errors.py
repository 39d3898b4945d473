"""All errors of this project in one tree. Who can fix the error decides its branch.

    KvsError
    ├── ClientError                 the client has to change the request
    │   ├── BadInput                BAD_INPUT
    │   ├── BadKey                  BAD_KEY
    │   ├── TooManyKeys             TOO_MANY_KEYS
    │   ├── NotUtf8                 NOT_UTF8
    │   ├── NotJson                 NOT_JSON
    │   ├── Undecodable             UNDECODABLE
    │   ├── BadCursor               BAD_CURSOR
    │   ├── LimitExceeded           LIMIT_EXCEEDED
    │   │   └── BudgetExceeded      LIMIT_EXCEEDED
    │   ├── ValueTooLarge           VALUE_TOO_LARGE
    │   ├── Unauthenticated         UNAUTHENTICATED
    │   └── Forbidden               FORBIDDEN
    ├── ServiceError                the request is fine, but the service cannot answer it now
    │   ├── NotCaughtUp             NOT_CAUGHT_UP
    │   ├── KafkaUnavailable        KAFKA_UNAVAILABLE
    │   ├── WriteOutcomeUnknown     WRITE_OUTCOME_UNKNOWN
    │   └── Unavailable             UNAVAILABLE
    │       └── Unwritable          the database takes no writes now: full, locked or read-only
    ├── RemoteError                 the service that a command called answered with errors
    ├── Unreachable                 the service that a command called did not answer
    └── OperatorError               the operator has to act; ends the process
        ├── BadSetting              a setting has a value that is not allowed
        ├── DatabaseError           the file cannot be used
        │   └── Damaged             the file does not hold what was written to it
        ├── TopicMismatch           the database holds a topic of another name
        ├── BrokerRefused           Kafka refuses access
        └── UnreadableRecord        a record cannot be read, and must not be skipped silently

Codes are stable, so clients may switch on them. Errors of other origin get `INTERNAL`, `WRITES_DISABLED`,
`PERSISTED_QUERY_NOT_SUPPORTED`, `PERSISTED_QUERY_NOT_FOUND`, `GRAPHQL_PARSE_FAILED` and `GRAPHQL_VALIDATION_FAILED`,
which belong to no class here.
"""

from typing import ClassVar, Self


class KvsError(Exception):
    """The root of the tree. Clients see `code` as `extensions.code`, and `details` as further extensions."""

    code: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.details = details


class ClientError(KvsError):
    """The request cannot be answered as it is. Repeating it does not help."""


class BadInput(ClientError):
    """An argument has a value that is not allowed."""

    code = "BAD_INPUT"


class BadKey(ClientError):
    """A key or node id is empty, too long, or not in the encoding that it claims."""

    code = "BAD_KEY"


class TooManyKeys(ClientError):
    """A request names more keys than `KVS_KEYS_PER_REQUEST_MAX`."""

    code = "TOO_MANY_KEYS"


class NotUtf8(ClientError):
    """A value was requested as text, but its bytes are not UTF-8."""

    code = "NOT_UTF8"


class NotJson(ClientError):
    """A value was requested as JSON, but is not."""

    code = "NOT_JSON"


class Undecodable(ClientError):
    """A value was requested as what its schema says, but its bytes are not that, or the schema is not known."""

    code = "UNDECODABLE"


class BadCursor(ClientError):
    """A cursor cannot be decoded, belongs to another topic, or lies past the end of the log."""

    code = "BAD_CURSOR"


class LimitExceeded(ClientError):
    """The request exceeds a limit of the service. The message says which."""

    code = "LIMIT_EXCEEDED"

    @classmethod
    def of(cls, setting: str, limit: float, what: str) -> Self:
        """Return the error for a setting whose limit is reached; `what` names what it counts, in the plural."""
        return cls(f"The limit of {limit} {what} is reached.", limit=limit, setting=setting)


class BudgetExceeded(LimitExceeded):
    """An operation exceeds what one may use. It is ended, and nothing of it is answered."""


class ValueTooLarge(ClientError):
    """A value is larger than the service or the topic allows. It was not written."""

    code = "VALUE_TOO_LARGE"


class Unauthenticated(ClientError):
    """A request shows no token, or one that is not valid or no longer."""

    code = "UNAUTHENTICATED"


class Forbidden(ClientError):
    """Kafka does not allow this service to do what was requested. It was not done."""

    code = "FORBIDDEN"


class ServiceError(KvsError):
    """The request is fine, but the service cannot answer it now. Repeating it later may help."""


class NotCaughtUp(ServiceError):
    """`atLeast` was not reached within `maxWait` seconds."""

    code = "NOT_CAUGHT_UP"


class KafkaUnavailable(ServiceError):
    """A write did not reach Kafka, and never will."""

    code = "KAFKA_UNAVAILABLE"


class WriteOutcomeUnknown(ServiceError):
    """A write was sent and Kafka did not answer in time: it may have arrived, or may arrive later."""

    code = "WRITE_OUTCOME_UNKNOWN"


class Unavailable(ServiceError):
    """The service is starting or stopping, or cannot read its table."""

    code = "UNAVAILABLE"


class Unwritable(Unavailable):
    """The database takes no writes now: the disk is full, the file is read-only, or another process locks it."""


class RemoteError(KvsError):
    """The service that a command called answered with errors. `remote_code` is the code of the first one."""

    def __init__(self, message: str, *, remote_code: str | None) -> None:
        super().__init__(message)
        self.remote_code = remote_code


class Unreachable(KvsError):
    """The service that a command called does not answer."""


class OperatorError(KvsError):
    """The operator has to act. The process ends with `exit_code`."""

    code = "UNAVAILABLE"
    exit_code: ClassVar[int] = 1


class BadSetting(OperatorError):
    """A setting has a value that is not allowed. The message names its variable."""

    exit_code = 2


class DatabaseError(OperatorError):
    """The database file cannot be used: another process writes to it, a newer version wrote it, or it is damaged."""

    exit_code = 3


class Damaged(DatabaseError):
    """The database does not hold what was written to it. The next start moves it aside."""


class TopicMismatch(OperatorError):
    """The database holds a topic of another name."""

    exit_code = 4


class BrokerRefused(OperatorError):
    """Kafka refuses access: authentication or authorisation failed."""

    exit_code = 5


class UnreadableRecord(OperatorError):
    """A batch is corrupt, too large, or compressed in an unknown way. The message names its offset."""

    exit_code = 5
