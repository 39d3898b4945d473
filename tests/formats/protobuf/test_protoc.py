"""Texts of schemas and what they refer to, also hostile ones."""

import base64
import subprocess
import sys

import pytest

from kvs_graphql.formats.codec import SchemaText
from kvs_graphql.formats.errors import BadSchema
from kvs_graphql.formats.limits import FormatLimits
from kvs_graphql.formats.protobuf import ProtobufSchema
from kvs_graphql.formats.protobuf.protoc import compile_schema
from tests.formats.protobuf.schemas import LIMITS, schema

pytestmark = pytest.mark.slow


def _files(one: SchemaText) -> list[str]:
    return [file.name for file in compile_schema(one, LIMITS).files.file]


def _refusal(one: SchemaText) -> str:
    with pytest.raises(BadSchema) as refused:
        ProtobufSchema(compile_schema(one, LIMITS)).root()
    return str(refused.value)


def test_imports_are_found_by_their_paths() -> None:
    money = SchemaText("protobuf", 'syntax = "proto3"; package shop; message Money { int64 cents = 1; }')
    line = SchemaText(
        "protobuf",
        'syntax = "proto3"; package shop; import "shop/money.proto"; message Line { Money price = 1; }',
        (("shop/money.proto", money),),
    )
    order = SchemaText(
        "protobuf",
        'syntax = "proto3"; package shop; import "shop/line.proto"; import "shop/money.proto";'
        "message Order { repeated Line lines = 1; Money total = 2; }",
        (("shop/line.proto", line), ("shop/money.proto", money)),
    )
    assert _files(order) == ["shop/money.proto", "shop/line.proto", "schema.proto"]


@pytest.mark.parametrize(
    "path",
    [
        "google/protobuf/timestamp.proto",
        "google/protobuf/descriptor.proto",
        "google/type/money.proto",
        "google/type/datetime.proto",
        "confluent/meta.proto",
        "confluent/type/decimal.proto",
        "confluent/types/decimal.proto",
    ],
)
def test_types_of_google_and_confluent_need_no_reference(path: str) -> None:
    assert path in _files(schema(f'syntax = "proto3"; import "{path}"; message A {{}}'))


def test_reference_cannot_replace_a_type_of_protobuf_itself() -> None:
    forged = SchemaText("protobuf", 'syntax = "proto3"; package google.protobuf; message Timestamp { string x = 1; }')
    text = 'syntax = "proto3"; import "google/protobuf/timestamp.proto"; message A { google.protobuf.Timestamp t = 1; }'
    files = compile_schema(SchemaText("protobuf", text, (("google/protobuf/timestamp.proto", forged),)), LIMITS).files
    assert [field.name for field in files.file[0].message_type[0].field] == ["seconds", "nanos"]


def test_descriptors_in_base64_are_schemas_too() -> None:
    """Serializers register them so, and some registries return what was registered."""
    text = SchemaText(
        "protobuf",
        'syntax = "proto3"; import "lines/line.proto"; message Order { Line line = 1; }',
        (("lines/line.proto", schema('syntax = "proto3"; message Line { string sku = 1; }')),),
    )
    line, order = (
        base64.b64encode(file.SerializeToString()).decode() for file in compile_schema(text, LIMITS).files.file
    )
    again = compile_schema(SchemaText("protobuf", order, (("lines/line.proto", SchemaText("protobuf", line)),)), LIMITS)
    assert [file.name for file in again.files.file] == ["lines/line.proto", "schema.proto"]
    assert ProtobufSchema(again).root().fields[0].message_type.fields[0].name == "sku"


def test_what_is_wrong_is_one_line_with_its_place_and_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    text = 'syntax = "proto3";\nmessage Order {\n  Lime line = 1;\n  Lemon lemon = 2;\n}'
    assert _refusal(schema(text)) == 'line 3, column 3: "Lime" is not defined.'
    broken = schema('syntax = "proto3"; import "line.proto"; message A {}', line='syntax = "proto3";\nmessage {}')
    assert _refusal(broken) == "line 2, column 9 in line.proto: Expected message name."
    assert _refusal(schema('syntax = "proto3"; import "gone.proto"; message A {}')).endswith(
        "was not found or had errors."
    )
    compile_schema(schema("message WithoutSyntax { optional int32 a = 1; }"), LIMITS)  # of which protoc warns
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("text", ["", "// nothing", "enum E { A = 0; }", 'syntax = "proto3"; enum E { A = 0; }'])
def test_schema_without_a_message_is_refused(text: str) -> None:
    assert _refusal(schema(text)) == "the schema has no message"


@pytest.mark.parametrize("text", ["x", "\0", '"', "{", "AAAA", "\ud800", "syntax = 5;", 'syntax = "proto9";'])
def test_garbage_is_refused(text: str) -> None:
    assert "\n" not in _refusal(schema(text))


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../a.proto", "a/../../b.proto", "./a.proto", "", "a//b", "a\\b", "a\0b", "x" * 300, "a/."]
)
def test_reference_cannot_leave_its_folder(path: str) -> None:
    one = schema('syntax = "proto3"; message A {}')
    assert "is not a path of an import" in _refusal(SchemaText("protobuf", one.text, ((path, one),)))


def test_references_that_exclude_each_other_are_refused() -> None:
    one, other = schema('syntax = "proto3"; message A {}'), schema('syntax = "proto3"; message B {}')
    both = SchemaText("protobuf", one.text, (("a.proto", one), ("b.proto", schema("", a=other.text))))
    assert _refusal(both) == "the schema refers to two texts as a.proto"
    nested = SchemaText("protobuf", one.text, (("a", one), ("a/b", other)))
    assert "is not a path of an import" in _refusal(nested)


def test_files_that_import_each_other_are_refused() -> None:
    a, b = (f'syntax = "proto3"; import "{other}.proto"; message {own} {{}}' for own, other in ("AB", "BA"))
    text = 'syntax = "proto3"; import "A.proto"; message C {}'
    assert "recursively imports itself" in _refusal(schema(text, A=a, B=b))


@pytest.mark.parametrize(
    "text",
    [
        'syntax = "proto3";' + "message A {" * 20_000 + "}" * 20_000,
        'syntax = "proto3"; import "google/protobuf/descriptor.proto"; message A { A a = 1; }'
        "extend google.protobuf.FileOptions { A a = 50000; } option (a) = " + "{a:" * 20_000 + "{" + "}" * 20_001 + ";",
        'syntax = "proto3"; message A {' + "".join(f"Gone a{number} = {number + 1};" for number in range(18_000)) + "}",
        'syntax = "proto3"; message A { reserved 1 to 2, ' + "1 to 2, " * 100_000 + "5; }",
    ],
    ids=["messages", "options", "errors", "reserved"],
)
def test_hostile_text_is_refused_without_harm(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert len(_refusal(schema(text))) < 400
    assert capfd.readouterr() == ("", "")


def test_text_above_the_limit_is_refused_before_it_is_compiled() -> None:
    with pytest.raises(BadSchema, match="more than 1,048,576 bytes"):
        compile_schema(schema("/" * 10_000_000), LIMITS)
    with pytest.raises(BadSchema, match="more than 20 bytes"):
        compile_schema(schema('syntax = "proto3"; message A {}'), FormatLimits(schema_bytes_max=20))


def test_process_that_ends_without_a_word_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that takes too much memory, or is killed."""
    monkeypatch.setattr("kvs_graphql.formats.protobuf.protoc._PROGRAM", "import os; os.kill(os.getpid(), 9)")
    assert _refusal(schema("// ends")) == "protoc ended with code -9: it took too much time or memory"


def test_process_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kvs_graphql.formats.protobuf.protoc._PROGRAM", "import time; time.sleep(3600)")
    monkeypatch.setattr("kvs_graphql.formats.protobuf.protoc._SECONDS_MAX", 0.1)
    assert _refusal(schema("// does not end")) == "protoc took longer than 0.1 s for the schema"


def test_machine_without_a_place_for_files_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("kvs_graphql.formats.protobuf.protoc.TemporaryDirectory", refuse)
    assert _refusal(schema("// no place")).endswith("on this machine: No usable temporary directory found")


def test_process_with_lower_limits_compiles_within_them() -> None:
    program = """
import resource
for kind, amount in (resource.RLIMIT_AS, 1_000_000_000), (resource.RLIMIT_CPU, 9):
    resource.setrlimit(kind, (amount, amount))
from tests.formats.protobuf.schemas import linked
print(linked('syntax = "proto3"; message A {}').first_name)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("A\n", "")
