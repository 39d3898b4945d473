"""The decision which version of a subject is served."""

from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.formats import SchemaText
from kvs_graphql.registry import Adoption, NotAdopted, Version, adopt
from kvs_graphql.registry.adoption import Unloadable
from tests.registry.readers import avro, cannot_read

A = Version(1, 11, avro("a"))
A_B = Version(2, 12, avro("a", b=0))
C = Version(3, 13, avro("c"))
A_B_C = Version(4, 14, avro("a", b=0, c=0))
UNUSABLE = Version(5, 15, avro("unusable"))
LOST = Unloadable(3, "the registry answered HTTP 500")


def test_newest_version_is_served_where_it_can_read_all_earlier_ones() -> None:
    assert adopt([], cannot_read) == Adoption(None)
    assert adopt([A], cannot_read) == Adoption(A)
    assert adopt([A, A_B], cannot_read) == Adoption(A_B)


def test_version_that_cannot_read_the_earlier_ones_is_named_with_the_reason() -> None:
    refused = NotAdopted(3, "it cannot read version 2: it has no field c")
    assert adopt([A, A_B, C], cannot_read) == Adoption(A_B, (refused,))


def test_version_after_one_that_was_not_adopted_has_to_read_that_one_too() -> None:
    adoption = adopt([A, A_B, C, A_B_C], cannot_read)
    assert adoption.served == A_B
    assert adoption.refused == (
        NotAdopted(4, "it cannot read version 3: it has no field a"),
        NotAdopted(3, "it cannot read version 2: it has no field c"),
    )


def test_version_that_cannot_be_used_at_all_is_not_adopted() -> None:
    assert adopt([A, UNUSABLE], cannot_read) == Adoption(A, (NotAdopted(5, "it cannot be used"),))
    assert adopt([UNUSABLE], cannot_read).served is None


def test_pinned_version_is_served_whatever_it_can_read() -> None:
    adoption = adopt([A, A_B, C, A_B_C], cannot_read, pinned=3)
    assert adoption == Adoption(C, (NotAdopted(4, "version 3 is pinned"),))
    assert adopt([A, UNUSABLE], cannot_read, pinned=5).served is None
    assert adopt([A, LOST], cannot_read, pinned=3) == Adoption(
        None, (NotAdopted(3, LOST.reason), NotAdopted(1, "version 3 is pinned"))
    )


def test_version_that_the_registry_does_not_give_is_not_adopted_nor_taken_as_read() -> None:
    assert adopt([A, LOST], cannot_read) == Adoption(A, (NotAdopted(3, LOST.reason),))
    assert adopt([A, LOST, A_B_C], cannot_read) == Adoption(
        A, (NotAdopted(4, f"it cannot read version 3: {LOST.reason}"), NotAdopted(3, LOST.reason))
    )


@given(st.integers(0, 8), st.sets(st.tuples(st.integers(1, 8), st.integers(1, 8)), max_size=20))
def test_served_version_reads_all_earlier_ones_and_no_newer_one_does(count: int, unread: set[tuple[int, int]]) -> None:
    versions = [Version(number, number, SchemaText("avro", str(number))) for number in range(1, count + 1)]

    def read(reader: SchemaText, writer: SchemaText) -> str | None:
        return "no" if (int(reader.text), int(writer.text)) in unread else None

    def fits(version: Version) -> bool:
        return all((version.number, other) not in unread for other in range(1, version.number + 1))

    adoption = adopt(versions, read)
    assert adoption.served == next((one for one in reversed(versions) if fits(one)), None)
    assert len(adoption.refused) == len(versions) - (adoption.served.number if adoption.served else 0)
