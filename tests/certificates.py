"""A client's certificate and keys, made anew for each run of the tests."""

from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files."""

    certificate: Path
    key: Path
    """The certificate's key, encrypted with `password`."""
    other_key: Path
    """A key that is not the certificate's."""
    password: str


def make_certificates(directory: Path) -> Certificates:
    """Write the files into a directory."""
    authority, password = trustme.CA(), "swordfish"
    client, other = (authority.issue_cert("client.example") for _ in range(2))
    made = Certificates(directory / "client.pem", directory / "client-key.pem", directory / "other-key.pem", password)
    made.certificate.write_bytes(client.cert_chain_pems[0].bytes())
    key = load_pem_private_key(client.private_key_pem.bytes(), None)
    encryption = BestAvailableEncryption(password.encode())
    made.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    made.other_key.write_bytes(other.private_key_pem.bytes())
    return made
