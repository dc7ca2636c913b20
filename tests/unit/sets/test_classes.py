"""Classes of memberships: chains of endings, spares, and numbers that come back."""

from __future__ import annotations

import pytest

from xdpwall.errors import Full
from xdpwall.sets import classes as subject
from xdpwall.sets.classes import STEPS, Classes, joined, merged, read_members, spelled, without


class Book:
    """Classes with their rows, and how often they waited for packets."""

    def __init__(self) -> None:
        self.rows: dict[int, str | None] = {}
        self.waits = 0
        self.classes = Classes({}, self.rows, self._wait)

    def _wait(self) -> None:
        self.waits += 1

    def again(self) -> Classes:
        """As another process reads them."""
        stored = {number: row for number, row in self.rows.items() if row is not None}
        return Classes(stored, {}, self._wait)


def test_members() -> None:
    assert joined(((3, 0),), 2, 50) == ((2, 50), (3, 0))
    assert joined(((2, 50), (3, 0)), 2, 0) == ((2, 0), (3, 0))
    assert without(((2, 50), (3, 0)), 3) == ((2, 50),)
    assert merged(((2, 50), (3, 0)), ((2, 60), (3, 9), (4, 1))) == ((2, 60), (3, 0), (4, 1))
    assert merged((), ((2, 0),)) == ((2, 0),)
    assert read_members(spelled(((2, 50), (3, 0)))) == ((2, 50), (3, 0))


def test_a_class_ends_as_the_rest_of_its_members() -> None:
    classes = Book().classes
    number = classes.id_of(((1, 100), (2, 0), (3, 50), (4, 50)))
    first, then = classes.ending(number)
    assert (first, classes.members(then)) == (50, ((1, 100), (2, 0)))
    first, last = classes.ending(then)
    assert (first, classes.members(last), classes.ending(last)) == (100, ((2, 0),), (0, 0))
    assert classes.ending(classes.id_of(((5, 70),))) == (70, 0)


def test_equal_members_are_one_class_and_survive_the_store() -> None:
    book = Book()
    number = book.classes.id_of(((1, 100), (2, 0)))
    assert book.classes.id_of(((1, 100), (2, 0))) == number
    again = book.again()
    assert again.id_of(((1, 100), (2, 0))) == number
    assert again.numbers == book.classes.numbers
    assert again.ending(number) == book.classes.ending(number)


def test_too_many_different_endings() -> None:
    classes = Book().classes
    classes.id_of(tuple((n, 1000 + n) for n in range(STEPS)))
    with pytest.raises(Full) as caught:
        classes.id_of(tuple((n, 2000 + n) for n in range(STEPS + 1)))
    assert caught.value.code == "too-many-timeouts"


def test_a_spare_looks_the_same_to_the_generation() -> None:
    classes = Book().classes
    classes.see(frozenset({1, 2}))
    classes.id_of(((1, 50),))
    known = dict(classes.numbers)
    for members in (((1, 51),), ((1, 52), (9, 0)), ((1, 0),)):
        number = classes.id_of(members)
        # Set 9 has no name yet: to rules, both classes are those of set 1 alone.
        assert known[number] & classes.visible == {1}
        assert classes.mark(number) == classes.mark(classes.id_of(((1, 50),)))
    assert classes.mark(classes.id_of(((2, 0),))) != classes.mark(classes.id_of(((1, 0),)))
    classes.see(frozenset({1, 2, 9}))
    assert classes.mark(classes.id_of(((1, 52), (9, 0)))) != classes.mark(classes.id_of(((1, 0),)))


def test_retired_classes_are_given_anew_after_a_wait() -> None:
    book = Book()
    classes = book.classes
    classes.see(frozenset({1}))
    first = [classes.id_of(((1, moment),)) for moment in range(1, 40)]
    classes.retire(classes.over(39))
    assert not classes.timed and book.waits == 0
    second = [classes.id_of(((1, moment),)) for moment in range(1000, 1200)]
    assert set(first) < set(second) and book.waits > 0
    assert len(set(second)) == 200
    assert set(book.again().numbers) == set(classes.numbers)


def test_sets_that_went_give_their_classes_back() -> None:
    classes = Book().classes
    classes.see(frozenset({1, 2}))
    both, one = classes.id_of(((1, 0), (2, 90))), classes.id_of(((1, 0),))
    assert classes.bearing(2) == [both]
    classes.retire(classes.bearing(2))
    assert (classes.members(both), classes.members(one)) == ((), ((1, 0),))


def test_what_no_entry_bears_is_not_kept_but_for_chains() -> None:
    classes = Book().classes
    borne = classes.id_of(((1, 10), (2, 0)))
    rest = classes.ending(borne)[1]
    lost = classes.id_of(((3, 0),))
    classes.keep([borne])
    assert classes.members(rest) == ((2, 0),) and classes.members(lost) == ()


def test_all_numbers_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "LIMIT", 500)
    classes = Book().classes
    made = 0
    with pytest.raises(Full) as caught:
        for made in range(501):
            classes.id_of(((made % 4095 + 1, 0), (5000 + made, 0)))
    assert caught.value.code == "too-many-classes"
    assert made == 500
    classes.keep([])
    assert classes.id_of(((1, 0), (2, 0))) > 0


def test_endings_grow_coarse_when_there_are_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "CROWDED", 10)
    classes = Book().classes
    assert classes.grain(range(1000, 1009)) == 1
    assert classes.grain(range(1000, 1100)) == 60
    assert classes.grain(range(0, 100 * 60, 60)) == 3600
    for moment in range(1000, 1010):
        classes.id_of(((1, classes.round(moment)),))
    assert classes.round(1021) == 1080
