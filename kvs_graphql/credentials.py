"""Secrets from files, and the certificates of connections. Errors name the file and the cause, no secret."""

import os
import ssl
from pathlib import Path

import structlog

from kvs_graphql.errors import BadSetting

log = structlog.get_logger(__name__)

_SECRET_BYTES_MAX = 64 * 1024


class Secret:
    """A secret that is read again each time it is needed, where it comes from a file: it may have been replaced.

    `name` is the variable that names the file. `repr` leaves the secret out.
    """

    def __init__(self, value: str, name: str = "", file: Path | None = None) -> None:
        self._value = value
        self._name = name
        self._file = file

    def current(self) -> str:
        """What the file holds now; what was last read, where it holds no secret."""
        if self._file is not None:
            try:
                self._value = read_secret(self._name, self._file)
            except BadSetting as error:
                log.warning("a secret cannot be read again", reason=str(error))
        return self._value


class ClientTls:
    """The TLS context for connections to a server, made anew after one of its files was replaced.

    Raises:
        BadSetting: A file cannot be read, or holds something else, or the key needs another password.
    """

    def __init__(
        self,
        ca_file: Path | None = None,
        certificate_file: Path | None = None,
        key_file: Path | None = None,
        key_password: Secret | None = None,
        prefix: str = "KVS_KAFKA_",
    ) -> None:
        self._files = ca_file, certificate_file, key_file
        self._key_password = key_password
        self._prefix = prefix
        self._made_of = self._versions()
        self._context = self._make()

    def current(self) -> ssl.SSLContext:
        """The context of the files as they are now; the last one, where they do not belong together."""
        versions = self._versions()
        if versions != self._made_of:
            try:
                self._context = self._make()
            except BadSetting as error:
                log.warning("certificates cannot be read again", reason=str(error))
            else:
                self._made_of = versions
        return self._context

    def _make(self) -> ssl.SSLContext:
        password = None if self._key_password is None else self._key_password.current()
        return tls_context(*self._files, password, self._prefix)

    def _versions(self) -> list[tuple[int, int, int] | None]:
        return [None if file is None else _version(file) for file in self._files]


def read_secret(name: str, path: Path) -> str:
    """Return the text of a file without the line break at its end; `name` is the variable that names the file.

    Raises:
        BadSetting: It cannot be read, or is empty, too long or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_SECRET_BYTES_MAX + 1)
        secret = raw.decode()
    except OSError as error:
        raise BadSetting(f"{name}={path}: {_cause(error)}") from None
    except UnicodeDecodeError:
        raise BadSetting(f"{name}={path}: is not UTF-8") from None
    secret = secret.removesuffix("\n").removesuffix("\r")
    if not secret or len(raw) > _SECRET_BYTES_MAX:
        raise BadSetting(f"{name}={path}: must hold 1 to {_SECRET_BYTES_MAX} bytes")
    return secret


def tls_context(
    ca_file: Path | None,
    certificate_file: Path | None,
    key_file: Path | None,
    key_password: str | None,
    prefix: str = "KVS_KAFKA_",
) -> ssl.SSLContext:
    """Return the TLS context for connections. It never prompts for a password; `prefix` is that of the variables.

    Raises:
        BadSetting: A file cannot be read, or holds something else, or the key needs another password.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise BadSetting(f"{prefix}CA_FILE={ca_file}: {_cause(error)}") from None
    if certificate_file is not None:
        _load_certificate(context, certificate_file, key_file, key_password, prefix)
    return context


def check_tls_files(
    ca_file: Path | None,
    certificate_file: Path | None,
    key_file: Path | None,
    key_password: str | None,
    prefix: str = "KVS_KAFKA_",
) -> None:
    """Check whether `tls_context` can use these files; without any, it can.

    Raises:
        BadSetting: As `tls_context` does.
    """
    # Reading the system's authorities takes 40 ms, and most services use no TLS here.
    if ca_file is not None or certificate_file is not None:
        tls_context(ca_file, certificate_file, key_file, key_password, prefix)


def renew_tls(
    context: ssl.SSLContext,
    ca_file: Path | None,
    certificate_file: Path | None,
    key_file: Path | None,
    key_password: str | None,
    prefix: str,
) -> None:
    """Read the files of a context again, for its next connections: they may have been replaced.

    Raises:
        BadSetting: As `tls_context` does. The context then works as before.
    """
    # Not straight into this one, which would be left with a part of what can be read.
    tls_context(ca_file, certificate_file, key_file, key_password, prefix)
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    if certificate_file is not None:
        _load_certificate(context, certificate_file, key_file, key_password, prefix)


def server_tls_context(certificate_file: Path, key_file: Path, key_password: str | None) -> ssl.SSLContext:
    """Return the TLS context for clients of this service. It never prompts for a password.

    Raises:
        BadSetting: A file cannot be read, or holds something else, or the key needs another password.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    _load_certificate(context, certificate_file, key_file, key_password, "KVS_TLS_")
    return context


def _load_certificate(
    context: ssl.SSLContext, certificate_file: Path, key_file: Path | None, password: str | None, prefix: str
) -> None:
    is_encrypted = False

    def ask() -> str:
        nonlocal is_encrypted
        is_encrypted = True
        return password or ""

    try:
        # Without a function, OpenSSL would prompt for the password of an encrypted key.
        context.load_cert_chain(certificate_file, key_file, ask)
    except (OSError, ValueError) as error:
        files = f"{prefix}CERTIFICATE_FILE={certificate_file} with {prefix}KEY_FILE={key_file}"
        if is_encrypted and password:
            cause = f"the key is encrypted with another password than {prefix}KEY_PASSWORD"
        elif is_encrypted:
            cause = f"the key is encrypted: set {prefix}KEY_PASSWORD"
        else:
            cause = _cause(error)
        raise BadSetting(f"{files}: {cause}") from None


def _version(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _cause(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        # OpenSSL names no reason where it finds nothing in PEM form.
        reason = (error.reason or "PEM_LIB").lower().replace("_", " ")
        return "no such PEM certificate or key" if reason in ("pem lib", "no start line") else reason
    return os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else "cannot be read"
