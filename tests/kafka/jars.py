"""The Java side of the harness: where the broker's jars come from, and which `java` runs them."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from filelock import FileLock

from tests.deadline import SECONDS_MAX

POM = Path(__file__).with_name("pom.xml")
REPOSITORY = Path(__file__).parents[2]
JAVA_MAJOR_MIN = 17
COPY_SECONDS_MAX = 600
COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


class KafkaMissing(Exception):
    """A real Kafka broker cannot run on this machine; the message says what is missing."""


def java() -> str:
    """Return the path of a `java` new enough for the broker.

    Raises KafkaMissing if there is none or it is too old.
    """
    path = _program("java", f"a Java runtime, {JAVA_MAJOR_MIN} or later")
    answer = _version_of(path)
    version = re.search(r'version "(\d+)', answer)
    if version is None or int(version[1]) < JAVA_MAJOR_MIN:
        raise KafkaMissing(f"the broker needs Java {JAVA_MAJOR_MIN} or later; {path} says: {answer}")
    return path


def java_version() -> str:
    """Return what `java` says of itself."""
    return _version_of(java())


@cache
def _version_of(path: str) -> str:
    return subprocess.run([path, "-version"], capture_output=True, text=True, check=False).stderr.strip()


def jars() -> Path:
    """Return the directory with the jars of the broker and its dependencies.

    It is $KVS_KAFKA_JARS if set, else a directory in the repository's `.cache/kafka` for this version of `pom.xml`.
    Maven fills it the first time (about 45 MB); later calls need neither Maven nor a network.

    Raises KafkaMissing if the jars are missing and Maven is missing or fails.
    """
    chosen = os.environ.get("KVS_KAFKA_JARS")
    if chosen:
        return filled(Path(chosen).absolute(), _holds_broker, _copy_broker)
    return jars_of(POM, "kafka")


def jars_of(pom: Path, name: str) -> Path:
    """Return the directory with the jars of all dependencies of a `pom.xml`: one in `.cache/NAME` for this version.

    Raises KafkaMissing if they are missing, and Maven is missing or fails.
    """
    directory = REPOSITORY / ".cache" / name / f"jars-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    return filled(directory, lambda complete: any(complete.glob("*.jar")), lambda made: _copy(pom, made))


def run_source(source: Path, classes: Path, lines: str, *arguments: str) -> str:
    """Run a Java program from its source with the jars of a directory and this input; return its output."""
    # A program that runs for a moment is not worth the second compiler.
    command = [java(), "-XX:TieredStopAtLevel=1", "-cp", f"{classes}{os.sep}*", str(source), *arguments]
    run = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def java_compiler() -> None:
    """Raise KafkaMissing if `java` is a runtime only, which runs no program from its source."""
    modules = subprocess.run([java(), "--list-modules"], capture_output=True, text=True, check=True).stdout
    if "jdk.compiler" not in modules:
        raise KafkaMissing(f"{java()} is a runtime only: programs that tests run have to be compiled")


def filled(directory: Path, is_complete: Callable[[Path], bool], fill: Callable[[Path], None]) -> Path:
    """Return the directory, which `fill` makes the first time. Several runs, or processes of one, may start at once."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{directory}.lock"):
        if not is_complete(directory):
            # Made elsewhere and renamed, so that the directory is always complete.
            with tempfile.TemporaryDirectory(dir=directory.parent, prefix="copying-") as aside:
                complete = Path(aside) / "complete"
                fill(complete)
                complete.rename(directory)
    return directory


def run_maven(*arguments: str, need: str) -> str:
    """Run Maven, and return its output.

    Raises KafkaMissing if it is missing or fails; `need` says what is needed without it.
    """
    maven = _program("mvn", f"Apache Maven, or {need}")
    try:
        run = subprocess.run(
            [maven, "-q", "-B", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COPY_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired as timeout:
        raise KafkaMissing(f"Maven did not end within {COPY_SECONDS_MAX} s: {arguments}") from timeout
    output = run.stdout.strip()[-2000:]
    if run.returncode != 0:
        raise KafkaMissing(f"Maven failed:\n{output}")
    return output


def _holds_broker(directory: Path) -> bool:
    return any(directory.glob("kafka_2.13-*.jar"))


def _copy_broker(directory: Path) -> None:
    _copy(POM, directory)
    if not _holds_broker(directory):
        raise KafkaMissing("Maven did not bring the broker's jars")


def _copy(pom: Path, directory: Path) -> None:
    run_maven("-f", str(pom), COPY_GOAL, f"-DoutputDirectory={directory}", need=f"the jars of {pom.parent.name}")


def _program(name: str, need: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise KafkaMissing(f"`{name}` is not on the PATH: the tests against a real broker need {need}")
    return path
