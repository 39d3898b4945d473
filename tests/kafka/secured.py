"""A real broker that authenticates its clients, authorises them by ACLs, and creates topics when asked about them."""

import subprocess
from concurrent.futures import Future
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from tests.kafka.broker import QUICK_START, KafkaBroker
from tests.kafka.jars import java
from tests.kafka.topics import REQUEST_SECONDS_MAX, wait_until
from tests.ports import HOST, free_ports

USER = "reader"
PASSWORD = "swordfish-6c1f"  # noqa: S105 - of a broker that lives as long as its tests
MECHANISMS = ("PLAIN", "SCRAM-SHA-256")
_STORE_PASSWORD = "keystore"  # noqa: S105 - keytool refuses to make a key store without one
_LOGIN = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
_SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


class SecuredBroker(KafkaBroker):
    """A broker with listeners without security, with SASL and with TLS.

    Clients without a password may do everything. Over SASL, clients are `USER` with `PASSWORD`, and may do what `allow`
    allowed. The broker's certificate, which signs itself, is for the name localhost only. Topics are created when a
    client asks for their metadata and does not forbid that, as Kafka does by default.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, java_options=QUICK_START)
        sasl, tls = free_ports(2)
        self.sasl_servers = f"localhost:{sasl}"
        self.tls_servers = f"localhost:{tls}"
        self.certificate = directory / "broker.pem"
        store = directory / "broker.p12"
        make_certificate(store, self.certificate)
        self._settings |= {
            "listeners": f"{self._settings['listeners']},SASL_PLAINTEXT://{HOST}:{sasl},SSL://{HOST}:{tls}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap_servers},SASL_PLAINTEXT://{self.sasl_servers}"
            f",SSL://{self.tls_servers}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
            "SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL",
            "sasl.enabled.mechanisms": ",".join(MECHANISMS),
            "listener.name.sasl_plaintext.plain.sasl.jaas.config": _LOGIN,
            "listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config": _SCRAM_LOGIN,
            "ssl.keystore.location": str(store),
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.password": _STORE_PASSWORD,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "auto.create.topics.enable": "true",
        }

    def start(self, timeout_seconds: float = 60) -> None:
        """Start the broker, with the password of `USER` for SCRAM."""
        super().start(timeout_seconds)
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
        changes: list[UserScramCredentialAlteration] = [UserScramCredentialUpsertion(USER, info, PASSWORD.encode())]
        with self._admin() as admin:
            _done(admin.alter_user_scram_credentials(changes))

    def allow(self, topic: str, *operations: AclOperation) -> None:
        """Allow `USER` these operations on a topic; return once the broker knows."""
        with self._admin() as admin:
            _done(admin.create_acls([_acl(topic, operation) for operation in operations]))
            wait_until(lambda: self.allowed(topic) >= set(operations), f"rights on {topic}")

    def revoke(self, topic: str, *operations: AclOperation) -> None:
        """Take these rights on a topic back; return once the broker knows."""
        with self._admin() as admin:
            _done(admin.delete_acls([_filter(topic, operation) for operation in operations]))
            wait_until(lambda: not self.allowed(topic) & set(operations), f"no rights on {topic}")

    def allowed(self, topic: str) -> set[AclOperation]:
        """The operations that ACLs allow `USER` on a topic."""
        with self._admin() as admin:
            found = admin.describe_acls(_filter(topic, AclOperation.ANY)).result(REQUEST_SECONDS_MAX)
        return {binding.operation for binding in found}


def _acl(topic: str, operation: AclOperation) -> AclBinding:
    return AclBinding(
        *(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL),
        *(f"User:{USER}", "*", operation, AclPermissionType.ALLOW),
    )


def _filter(topic: str, operation: AclOperation) -> AclBindingFilter:
    return AclBindingFilter(
        *(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL),
        *(f"User:{USER}", "*", operation, AclPermissionType.ALLOW),
    )


def _done(answers: dict[object, "Future[object]"]) -> None:
    for future in answers.values():
        future.result(REQUEST_SECONDS_MAX)


def make_certificate(store: Path, certificate: Path) -> None:
    """Make a key with a self-signed certificate for localhost, and export the certificate."""
    store.parent.mkdir(parents=True, exist_ok=True)
    keytool = Path(java()).with_name("keytool")
    access = ["-keystore", str(store), "-storepass", _STORE_PASSWORD, "-alias", "broker"]
    make = ["-genkeypair", "-keyalg", "EC", "-dname", "CN=broker", "-ext", "SAN=dns:localhost", "-validity", "3650"]
    for command in (["-storetype", "PKCS12", *make], ["-exportcert", "-rfc", "-file", str(certificate)]):
        subprocess.run([str(keytool), *command, *access], check=True, capture_output=True)
