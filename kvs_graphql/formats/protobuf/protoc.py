"""Compiles the text of a Protobuf schema with protoc, in a process of its own.

protoc prints what it finds, and is not made for hostile texts: so it must neither write to this process's output nor
take it down, and it ends before it takes too much time or memory.
"""

import base64
import binascii
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import google.type
import grpc_tools
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError

from kvs_graphql.formats.codec import SchemaText
from kvs_graphql.formats.errors import BadSchema, one_line
from kvs_graphql.formats.limits import FormatLimits, require_size
from kvs_graphql.formats.protobuf import confluent

_SECONDS_MAX = 60
_CPU_SECONDS_MAX = 10
_MEMORY_BYTES_MAX = 1 << 30
_PROGRAM = f"""
import resource, sys
for kind, amount in (
    (resource.RLIMIT_CPU, {_CPU_SECONDS_MAX}), (resource.RLIMIT_AS, {_MEMORY_BYTES_MAX}), (resource.RLIMIT_CORE, 0)
):
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (amount if hard == resource.RLIM_INFINITY else min(amount, hard), hard))
from grpc_tools import protoc
sys.exit(protoc.main(sys.argv))
"""
_OWN_TYPES = "google/protobuf/"
_OWN_TYPES_OPTION = f"--proto_path={_OWN_TYPES[:-1]}={Path(grpc_tools.__path__[0]) / '_proto' / 'google' / 'protobuf'}"
_COMMON_TYPES_OPTION = f"--proto_path=google/type={google.type.__path__[0]}"
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
_PATH_PART = re.compile(r"(?!\.\.?$)[^\\\0]{1,255}")
_PROBLEM = re.compile(r"(?P<file>[^\n]*?):(?:(?P<line>\d+):(?P<column>\d+):)? (?P<what>[^\n]+)")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A schema as protoc describes it."""

    files: FileDescriptorSet
    """Each after those that it imports; the schema's own comes last."""

    @property
    def main(self) -> FileDescriptorProto:
        return self.files.file[-1]


def compile_schema(schema: SchemaText, limits: FormatLimits) -> Compiled:
    """Compile a schema with all that it refers to. It takes about 0.1 s, so it does not belong on an event loop.

    The text may also be a descriptor in Base64: some serializers register schemas so.

    Raises:
        BadSchema: protoc refuses the schema, or takes too long for it.
    """
    require_size(schema, limits)
    return _compiled(schema.text, tuple(sorted(_imports(schema).items())))


def _imports(schema: SchemaText) -> dict[str, str]:
    """The paths and texts of all that a schema imports, apart from what belongs to Protobuf itself."""
    found = schema.all_references()
    for path in found:
        if not all(map(_PATH_PART.fullmatch, path.split("/"))):
            raise BadSchema(f"{one_line(path)!r} is not a path of an import")
    return {path: text for path, text in found.items() if not path.startswith(_OWN_TYPES)}


@lru_cache(maxsize=32)  # A service compiles the schema that it serves twice, and others when they come again.
def _compiled(text: str, references: tuple[tuple[str, str], ...]) -> Compiled:
    try:
        with TemporaryDirectory(prefix="kvs-graphql-") as directory:
            main, options = _write_all(Path(directory), text, dict(references))
            result = _run(options, main)
    except OSError as error:
        raise BadSchema(one_line(f"the schema cannot be compiled on this machine: {error}")) from None
    if result.returncode != 0:
        raise BadSchema(_problem(result.returncode, result.stderr.decode(errors="replace"), directory, main))
    return Compiled(FileDescriptorSet.FromString(result.stdout))


def _run(options: list[str], main: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-P", "-c", _PROGRAM, *options, "--descriptor_set_out=/dev/stdout"]
    command += ["--include_imports", "--include_source_info", main]
    try:
        return subprocess.run(command, capture_output=True, timeout=_SECONDS_MAX, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise BadSchema(f"protoc took longer than {_SECONDS_MAX} s for the schema") from None


def _write_all(folder: Path, text: str, references: dict[str, str]) -> tuple[str, list[str]]:
    """Write texts and descriptors where protoc reads them. Return the path of the schema's own, and the options."""
    texts = folder / "texts"
    descriptors = FileDescriptorSet()
    main = "schema.proto"
    while main in references:
        main = "_" + main
    for path, one in {**confluent.TEXTS, **references, main: text}.items():
        if (descriptor := _descriptor(one)) is not None:
            descriptor.name = path
            descriptors.file.append(descriptor)
        else:
            _write(texts / path, one)
    texts.mkdir(exist_ok=True)
    options = [_OWN_TYPES_OPTION, f"--proto_path={texts}", _COMMON_TYPES_OPTION]
    if descriptors.file:
        (folder / "descriptors").write_bytes(descriptors.SerializeToString())
        options.append(f"--descriptor_set_in={folder / 'descriptors'}")
    return main, options


def _descriptor(text: str) -> FileDescriptorProto | None:
    """What a text describes in Base64. None if it is a text in the language of Protobuf, which has `;` or braces."""
    if not _BASE64.fullmatch(text):
        return None
    try:
        return FileDescriptorProto.FromString(base64.b64decode(text))
    except (binascii.Error, DecodeError):
        return None


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(errors="surrogatepass"))
    except OSError as error:
        raise BadSchema(f"{one_line(path.name)!r} is not a path of an import: {error.strerror}") from None


def _problem(code: int, output: str, directory: str, main: str) -> str:
    """The first thing that protoc complains of, in one line and without paths of this machine."""
    lines = output.replace(f"{directory}/texts/", "").splitlines()
    for match in filter(None, map(_PROBLEM.fullmatch, lines)):
        where = f"line {match['line']}, column {match['column']}" if match["line"] else ""
        file = "" if match["file"] == main else match["file"]
        if where or match["file"] == main:
            return one_line(f"{' in '.join(filter(None, [where, file]))}: {match['what']}")
    return one_line(f"protoc ended with code {code}: {lines[-1] if lines else 'it took too much time or memory'}")
