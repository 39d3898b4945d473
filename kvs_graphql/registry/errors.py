"""Why a registry gives no schema. Each message is one line, without secrets, and without text that a registry sent."""


class RegistryError(Exception):
    """The registry did not give what it was asked for."""


class RegistryUnavailable(RegistryError):
    """The registry is away or slow, or answers with something else than it should. Asking later may help."""


class SchemaNotFound(RegistryError):
    """The registry does not have this schema, subject or version."""


class RegistryRefused(RegistryError):
    """The registry refuses access. An operator has to act."""


def again(error: RegistryError) -> RegistryError:
    """Return an error like another one, to raise: to raise the same one again would make its trace longer."""
    kinds = (SchemaNotFound, RegistryRefused, RegistryUnavailable)
    return next(kind for kind in kinds if isinstance(error, kind))(*error.args)
