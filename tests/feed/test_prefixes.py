"""The tree of prefixes: what it finds, and what it leaves behind."""

from hypothesis import given
from hypothesis import strategies as st

from kvs_graphql.feed.prefixes import PrefixTree

PREFIXES = st.binary(min_size=1, max_size=6).map(lambda raw: bytes(byte % 3 for byte in raw))


@given(st.lists(PREFIXES, max_size=10), st.lists(PREFIXES | st.just(b""), max_size=4), st.data())
def test_tree_finds_the_watchers_of_every_prefix_and_is_empty_without_any(
    prefixes: list[bytes], keys: list[bytes], data: st.DataObject
) -> None:
    tree = PrefixTree[int]()
    for number, prefix in enumerate(prefixes):
        tree.add(prefix, number)
    left = dict(enumerate(prefixes))
    for number in data.draw(st.permutations(range(len(prefixes)))):
        for key in keys:
            assert sorted(n for found in tree.of(key) for n in found) == matching(left, key)
        found_of_any = {n for found in tree.of_any(keys) for n in found}
        assert found_of_any == {n for key in keys for n in matching(left, key)}
        tree.remove(left.pop(number), number)
        assert sorted(n for found in tree for n in found) == sorted(left)
    assert not tree.below


def test_node_where_prefixes_part_goes_with_the_first_of_them() -> None:
    tree = PrefixTree[str]()
    for prefix in (b"common/one", b"common/two"):
        tree.add(prefix, "watcher")
    tree.remove(b"common/one", "watcher")
    assert [node.label for node in tree.below.values()] == [b"common/two"]


def matching(prefixes: dict[int, bytes], key: bytes) -> list[int]:
    """The numbers of the prefixes that the key begins with."""
    return [number for number, prefix in prefixes.items() if key.startswith(prefix)]
