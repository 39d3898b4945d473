"""Archives of a Java program's classes: a start that reads one needs half the processor time.

Java writes an archive as a program ends, and reads none that does not fit it.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from tests.kafka.jars import REPOSITORY, filled, java_version


def archive_option(files: Path, record: Callable[[str], None]) -> str:
    """Return Java's option to read the archive of the program whose jars are in that directory.

    The first time, `record` runs the program with the option that it is given, by which Java writes the archive.
    """
    name = hashlib.sha256(f"{java_version()} {files}".encode()).hexdigest()[:12]

    def fill(archive: Path) -> None:
        record(f"-XX:ArchiveClassesAtExit={archive}")
        # Not every Java can write one. An empty one is not read.
        archive.touch()

    return f"-XX:SharedArchiveFile={filled(REPOSITORY / '.cache' / 'classes' / name, Path.exists, fill)}"
