"""Pages in hand: bounded in bytes over all, and the one whose client has not read for longest goes first."""

from kvs_graphql.records import Record
from kvs_graphql.watch.pages import PageInHand, PagesInHand

MANY = 1_000_000


def records(number: int) -> list[Record]:
    return [Record(b"key", b"v" * 597, 0, n, None, None) for n in range(number)]


def test_page_is_given_in_parts_by_number_and_bytes() -> None:
    pages = PagesInHand(MANY, MANY)
    with PageInHand(pages, records(9)) as page:
        assert [r.offset for r in page.some(2, MANY)] == [0, 1]
        assert [r.offset for r in page.some(MANY, 601)] == [2, 3]
        assert [r.offset for r in page.some(MANY, MANY)] == [4, 5, 6, 7, 8]
        assert not page
        assert pages.size == 9_000
    assert pages.size == 0


def test_page_that_was_not_read_for_longest_is_dropped_for_another() -> None:
    pages = PagesInHand(3_000, MANY)
    with (
        PageInHand(pages, records(1)) as first,
        PageInHand(pages, records(1)) as second,
        PageInHand(pages, records(2)) as third,
    ):
        assert (first.dropped, second.dropped, third.dropped) == (True, False, False)
        assert pages.size == 3_000
        reading = third.some(1, MANY)
        next(reading)
        list(second.some(0, MANY))
        with PageInHand(pages, records(2)) as fourth:
            assert (second.dropped, third.dropped, fourth.dropped) == (False, True, False)
            assert list(reading) == list(third.some(1, MANY)) == []
    assert pages.size == 0


def test_page_that_was_read_to_its_end_counts_as_whole() -> None:
    pages = PagesInHand(1_000, MANY)
    with PageInHand(pages, records(1)) as read:
        list(read.some(1, MANY))
        with PageInHand(pages, records(1)):
            assert not read.dropped


def test_page_larger_than_all_that_may_be_held_is_held_alone() -> None:
    pages = PagesInHand(1, MANY)
    with PageInHand(pages, records(1)) as first:
        with PageInHand(pages, records(1)) as second:
            assert (first.dropped, second.dropped) == (True, False)
        assert pages.size == 0


def test_pages_shrink_the_more_there_are() -> None:
    pages = PagesInHand(80_000, 30_000)
    assert pages.page_bytes == 30_000
    held = [PageInHand(pages, records(1)) for _ in range(39)]
    for page in held:
        page.__enter__()
    assert pages.page_bytes == 1_000
    assert pages.page_items == 2
    assert PagesInHand(1, MANY).page_bytes == PagesInHand(1, MANY).page_items == 1
