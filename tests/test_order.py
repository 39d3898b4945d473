"""Another order of the tests."""

import pytest

from tests.order import shuffled


def test_order_has_all_tests_file_by_file_and_is_the_same_again(request: pytest.FixtureRequest) -> None:
    items = request.session.items
    found = shuffled(items, 17)
    assert sorted(found, key=id) == sorted(items, key=id)
    assert found == shuffled(items[::-1], 17)
    assert len(items) < 3 or len({tuple(map(id, shuffled(items, seed))) for seed in range(20)}) > 1
    paths = [item.path for item in found]
    begun = [path for before, path in zip([None, *paths], paths, strict=False) if path != before]
    assert len(begun) == len(set(begun)), "a file is interrupted"


@pytest.mark.last
def test_marked_test_is_the_last_of_its_file(request: pytest.FixtureRequest) -> None:
    for seed in range(20):
        own = [item for item in shuffled(request.session.items, seed) if item.path == request.path]
        assert own[-1] is request.node
