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
from trustme import CA

from tests.auth.issuer import AUDIENCE, ISSUER, Issuer, write_keys
from tests.kafka.broker import QUICK_START, KafkaBroker
from tests.kafka.jars import java
from tests.kafka.topics import REQUEST_SECONDS_MAX, wait_until
from tests.ports import HOST, free_ports

USER = "reader"
PASSWORD = "swordfish-6c1f"  # noqa: S105 - of a broker that lives as long as its tests
MECHANISMS = ("PLAIN", "SCRAM-SHA-256")
RENEWED_MECHANISMS = ("PLAIN", "SCRAM-SHA-512", "OAUTHBEARER")
SESSION_MS = 8_000
"""For how long a broker accepts an authentication at its listener for renewals."""
_STORE_PASSWORD = "keystore"  # noqa: S105 - keytool refuses to make a key store without one
_LOGIN = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
_TOKEN_LOGIN = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;"  # noqa: S105
_TOKEN_HANDLER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"  # noqa: S105
# Kafka 4.1 takes the settings of tokens for all listeners; it verifies no signature by those of one listener.
_TOKEN_VALIDATOR = "org.apache.kafka.common.security.oauthbearer.BrokerJwtValidator"  # noqa: S105
_SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


class SecuredBroker(KafkaBroker):
    """A broker with listeners without security, with SASL, with TLS, with both, and for clients with certificates.

    Clients without a password may do everything. Over SASL, clients are `USER` with `PASSWORD` or a token of `issuer`,
    and may do what `allow` allowed; so may all clients with a certificate of `authority`. With SASL and TLS, a session
    ends after `SESSION_MS` (KIP-368). The broker's certificate, which signs itself, is for the name localhost only.
    Topics are created when a client asks for their metadata and does not forbid that, as Kafka does by default.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.issuer = Issuer(claims={"sub": USER})
        keys = write_keys(directory / "keys.json", self.issuer.jwk()).as_uri()
        self.authority = CA()
        self.authority.cert_pem.write_to_path(str(directory / "clients.pem"))
        allowed_url = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys}"
        super().__init__(directory, java_options=[*QUICK_START, allowed_url])
        sasl, tls, renewed, mutual = free_ports(4)
        self.renewing_servers = f"localhost:{renewed}"
        self.mutual_servers = f"localhost:{mutual}"
        self.sasl_servers = f"localhost:{sasl}"
        self.tls_servers = f"localhost:{tls}"
        self.certificate = directory / "broker.pem"
        store = directory / "broker.p12"
        make_certificate(store, self.certificate)
        self._settings |= {
            "listeners": f"{self._settings['listeners']},SASL_PLAINTEXT://{HOST}:{sasl},SSL://{HOST}:{tls},"
            f"RENEWING://{HOST}:{renewed},MUTUAL://{HOST}:{mutual}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap_servers},SASL_PLAINTEXT://{self.sasl_servers}"
            f",SSL://{self.tls_servers},RENEWING://{self.renewing_servers},MUTUAL://{self.mutual_servers}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
            "SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,RENEWING:SASL_SSL,MUTUAL:SSL",
            "sasl.enabled.mechanisms": ",".join(MECHANISMS),
            "listener.name.sasl_plaintext.plain.sasl.jaas.config": _LOGIN,
            "listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config": _SCRAM_LOGIN,
            "ssl.keystore.location": str(store),
            "ssl.keystore.type": "PKCS12",
            "ssl.keystore.password": _STORE_PASSWORD,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "auto.create.topics.enable": "true",
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.mutual.ssl.truststore.type": "PEM",
            "listener.name.mutual.ssl.truststore.location": str(directory / "clients.pem"),
            # Whatever their names, they are `USER`.
            "listener.name.mutual.ssl.principal.mapping.rules": f"RULE:^.*$/{USER}/",
            **_renewing(keys),
        }

    def start(self, timeout_seconds: float = 60) -> None:
        """Start the broker, with the password of `USER` for SCRAM."""
        super().start(timeout_seconds)
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            self.set_password(mechanism, PASSWORD)

    def set_password(self, mechanism: ScramMechanism, password: str) -> None:
        """Give `USER` another password for a mechanism."""
        info = ScramCredentialInfo(mechanism, 4096)
        changes: list[UserScramCredentialAlteration] = [UserScramCredentialUpsertion(USER, info, password.encode())]
        with self._admin() as admin:
            _done(admin.alter_user_scram_credentials(changes))

    def client_certificate(self, certificate: Path, key: Path) -> None:
        """Write a new certificate for a client, and its key."""
        issued = self.authority.issue_cert("client.example")
        issued.cert_chain_pems[0].write_to_path(str(certificate))
        issued.private_key_pem.write_to_path(str(key))

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


def _renewing(keys: str) -> dict[str, str]:
    """The settings of the listener where sessions end; `keys` is the URL of the issuer's keys."""
    listener = "listener.name.renewing"
    return {
        f"{listener}.sasl.enabled.mechanisms": ",".join(RENEWED_MECHANISMS),
        f"{listener}.connections.max.reauth.ms": str(SESSION_MS),
        f"{listener}.plain.sasl.jaas.config": _LOGIN,
        f"{listener}.scram-sha-512.sasl.jaas.config": _SCRAM_LOGIN,
        f"{listener}.oauthbearer.sasl.jaas.config": _TOKEN_LOGIN,
        f"{listener}.oauthbearer.sasl.server.callback.handler.class": _TOKEN_HANDLER,
        "sasl.oauthbearer.jwt.validator.class": _TOKEN_VALIDATOR,
        "sasl.oauthbearer.jwks.endpoint.url": keys,
        "sasl.oauthbearer.expected.issuer": ISSUER,
        "sasl.oauthbearer.expected.audience": AUDIENCE,
    }


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
