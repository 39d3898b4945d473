"""A real schema registry: Apicurio, which speaks Confluent's API, as a process of its own."""

import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import httpx

from tests.deadline import SECONDS_MAX
from tests.kafka.classes import archive_option
from tests.kafka.jars import REPOSITORY, filled, java, run_maven
from tests.kafka.process import GuardedProcess
from tests.kafka.topics import wait_until
from tests.ports import HOST, free_port

__all__ = ["Apicurio", "registry_files"]

VERSION = "2.6.13.Final"
ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
# The default of Maven's plugin depends on Maven's version.
COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
RUNNER = f"apicurio-registry-app-{VERSION}-runner.jar"
STOP_SECONDS_MAX = 30.0
LOG_TAIL_CHARACTERS = 4_000
CONTENT_TYPE = {"Content-Type": "application/vnd.schemaregistry.v1+json"}


class Apicurio:
    """A registry in memory: it forgets everything when it stops, and keeps its address.

    The process never outlives this one. Every call blocks. Tests that share one use subjects of their own.
    """

    def __init__(self, directory: Path, java_options: Sequence[str] = ()) -> None:
        self._java_options = java_options
        self._log = directory / "apicurio.log"
        self._port = free_port()
        self._process: GuardedProcess | None = None
        self.own_url = f"http://{HOST}:{self._port}/apis/registry/v2"
        """That of its own API, which Apicurio's serializers speak."""
        self.url = f"http://{HOST}:{self._port}/apis/ccompat/v7"
        self._http = httpx.Client(base_url=self.url, headers=CONTENT_TYPE, trust_env=False, timeout=SECONDS_MAX)

    def start(self) -> None:
        """Start the registry; return once it answers.

        Raises KafkaMissing without Java or Maven, RuntimeError if it ends.
        """
        files = registry_files()
        options = ["-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *self._java_options]
        if not self._java_options:
            options.append(archive_option(files, _record))
        address = [f"-Dquarkus.http.port={self._port}", f"-Dquarkus.http.host={HOST}"]
        self._process = GuardedProcess([java(), *options, *address, "-jar", str(files / RUNNER)], self._log)
        try:
            wait_until(self._answers, "the registry's readiness", SECONDS_MAX)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop the registry in order, even if it is paused. Do nothing if it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate(STOP_SECONDS_MAX)

    def kill(self) -> None:
        """Kill the registry. Do nothing if it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def close(self) -> None:
        """Stop the registry for good."""
        self.stop()
        self._http.close()

    def pause(self) -> None:
        """Make the registry hang: connections stay open and get no answers until `resume`."""
        assert self._process is not None, "the registry does not run"
        self._process.pause()

    def resume(self) -> None:
        """Let a paused registry continue."""
        assert self._process is not None, "the registry does not run"
        self._process.resume()

    def register(
        self, subject: str, schema: str, kind: str = "AVRO", references: Sequence[tuple[str, str, int]] = ()
    ) -> int:
        """Register a schema as the newest version of a subject, and return its id.

        `kind` is AVRO, PROTOBUF or JSON; `references` are a name, a subject and a version each. Raises
        httpx.HTTPStatusError if the registry finds it incompatible. Without `properties`, Apicurio knows no schema of
        JSON for one.
        """
        referred = [{"name": name, "subject": other, "version": number} for name, other, number in references]
        body = {"schema": schema, "schemaType": kind, "references": referred}
        return int(self._call("POST", f"/subjects/{quote(subject, safe='')}/versions", body)["id"])

    def set_compatibility(self, subject: str, mode: str) -> None:
        """Set what the registry checks of further versions: NONE, BACKWARD, FORWARD, FULL, or one _TRANSITIVE."""
        self._call("PUT", f"/config/{quote(subject, safe='')}", {"compatibility": mode})

    def delete_version(self, subject: str, number: int) -> None:
        """Delete a version of a subject; others may still refer to it."""
        self._call("DELETE", f"/subjects/{quote(subject, safe='')}/versions/{number}")

    def delete_subject(self, subject: str) -> None:
        """Delete a subject with all its versions."""
        self._call("DELETE", f"/subjects/{quote(subject, safe='')}")

    def _call(self, method: str, path: str, body: object = None) -> Any:
        return self._http.request(method, path, json=body).raise_for_status().json()

    def _answers(self) -> bool:
        if self._process is None or self._process.exit_status() is not None:
            raise RuntimeError(f"the registry ended\n{self._log.read_text(errors='replace')[-LOG_TAIL_CHARACTERS:]}")
        try:
            return self._http.get("/subjects").status_code == 200
        except httpx.ConnectError:
            return False


def _record(option: str) -> None:
    with TemporaryDirectory() as directory:
        registry = Apicurio(Path(directory), [option])
        registry.start()
        registry.close()


def registry_files() -> Path:
    """Return the directory with the registry's jars, in the repository's `.cache`.

    Maven brings them the first time (142 MB); later calls need neither Maven nor a network.

    Raises KafkaMissing if they are missing and Maven is missing or fails.
    """
    return filled(REPOSITORY / ".cache" / "apicurio" / VERSION, lambda directory: (directory / RUNNER).exists(), _copy)


def _copy(directory: Path) -> None:
    downloaded = directory.with_name("downloaded")
    options = [f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={downloaded}"]
    run_maven(COPY_GOAL, *options, need=f"the contents of {ARTIFACT} in {directory}")
    for archive in downloaded.glob("*.tar.gz"):
        with tarfile.open(archive) as opened:
            opened.extractall(directory, filter="data")
    shutil.rmtree(downloaded)
