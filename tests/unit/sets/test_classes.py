"""Classes of set memberships: expiry steps, spare classes, and numbers that are used again."""

from __future__ import annotations

import pytest

from xdpwall.errors import Full
from xdpwall.sets import classes as subject
from xdpwall.sets.classes import (
    MAX_EXPIRY_STEPS,
    Classes,
    members_text,
    merge_members,
    parse_members,
    with_membership,
    without_set,
)


class Book:
    """Classes with their rows, and how often they waited for a grace period."""

    def __init__(self) -> None:
        self.rows: dict[int, str | None] = {}
        self.waits = 0
        self.classes = Classes({}, self.rows, self._wait)

    def _wait(self) -> None:
        self.waits += 1

    def again(self) -> Classes:
        """The classes as another process reads them from the store."""
        stored = {number: row for number, row in self.rows.items() if row is not None}
        return Classes(stored, {}, self._wait)


def test_members() -> None:
    assert with_membership(((3, 0),), 2, 50) == ((2, 50), (3, 0))
    assert with_membership(((2, 50), (3, 0)), 2, 0) == ((2, 0), (3, 0))
    assert without_set(((2, 50), (3, 0)), 3) == ((2, 50),)
    assert merge_members(((2, 50), (3, 0)), ((2, 60), (3, 9), (4, 1))) == ((2, 60), (3, 0), (4, 1))
    assert merge_members((), ((2, 0),)) == ((2, 0),)
    assert parse_members(members_text(((2, 50), (3, 0)))) == ((2, 50), (3, 0))


def test_expiry_steps_lead_to_the_class_of_the_members_that_are_left() -> None:
    classes = Book().classes
    number = classes.class_of(((1, 100), (2, 0), (3, 50), (4, 50)))
    first, then = classes.expiry_step(number)
    assert (first, classes.members(then)) == (50, ((1, 100), (2, 0)))
    first, last = classes.expiry_step(then)
    assert (first, classes.members(last), classes.expiry_step(last)) == (100, ((2, 0),), (0, 0))
    assert classes.expiry_step(classes.class_of(((5, 70),))) == (70, 0)


def test_equal_members_are_one_class_and_survive_the_store() -> None:
    book = Book()
    number = book.classes.class_of(((1, 100), (2, 0)))
    assert book.classes.class_of(((1, 100), (2, 0))) == number
    again = book.again()
    assert again.class_of(((1, 100), (2, 0))) == number
    assert again.set_numbers == book.classes.set_numbers
    assert again.expiry_step(number) == book.classes.expiry_step(number)


def test_too_many_expiry_steps() -> None:
    classes = Book().classes
    classes.class_of(tuple((n, 1000 + n) for n in range(MAX_EXPIRY_STEPS)))
    with pytest.raises(Full) as caught:
        classes.class_of(tuple((n, 2000 + n) for n in range(MAX_EXPIRY_STEPS + 1)))
    assert caught.value.code == "too-many-timeouts"


def test_a_spare_class_has_the_rows_of_the_class_that_it_becomes() -> None:
    classes = Book().classes
    classes.set_visible(frozenset({1, 2}))
    classes.class_of(((1, 50),))
    known = dict(classes.set_numbers)
    for members in (((1, 51),), ((1, 52), (9, 0)), ((1, 0),)):
        number = classes.class_of(members)
        # Set 9 has no name yet: to rules, both classes are those of set 1 alone.
        assert known[number] & classes.visible == {1}
        assert classes.fingerprint(number) == classes.fingerprint(classes.class_of(((1, 50),)))
    assert classes.fingerprint(classes.class_of(((2, 0),))) != classes.fingerprint(
        classes.class_of(((1, 0),))
    )
    classes.set_visible(frozenset({1, 2, 9}))
    assert classes.fingerprint(classes.class_of(((1, 52), (9, 0)))) != classes.fingerprint(
        classes.class_of(((1, 0),))
    )


def test_retired_classes_are_used_again_after_a_grace_period() -> None:
    book = Book()
    classes = book.classes
    classes.set_visible(frozenset({1}))
    first = [classes.class_of(((1, moment),)) for moment in range(1, 40)]
    classes.retire(classes.expired(39))
    assert not classes.has_timed and book.waits == 0
    second = [classes.class_of(((1, moment),)) for moment in range(1000, 1200)]
    assert set(first) < set(second) and book.waits > 0
    assert len(set(second)) == 200
    assert set(book.again().set_numbers) == set(classes.set_numbers)


def test_classes_of_a_deleted_set_are_retired() -> None:
    classes = Book().classes
    classes.set_visible(frozenset({1, 2}))
    both, one = classes.class_of(((1, 0), (2, 90))), classes.class_of(((1, 0),))
    assert classes.classes_with_set(2) == [both]
    classes.retire(classes.classes_with_set(2))
    assert (classes.members(both), classes.members(one)) == ((), ((1, 0),))


def test_unused_classes_are_retired_unless_expiry_steps_lead_to_them() -> None:
    classes = Book().classes
    used = classes.class_of(((1, 10), (2, 0)))
    rest = classes.expiry_step(used)[1]
    unused = classes.class_of(((3, 0),))
    classes.retire_unused([used])
    assert classes.members(rest) == ((2, 0),) and classes.members(unused) == ()


def test_no_class_number_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MAX_CLASS", 500)
    classes = Book().classes
    made = 0
    with pytest.raises(Full) as caught:
        for made in range(501):
            classes.class_of(((made % 4095 + 1, 0), (5000 + made, 0)))
    assert caught.value.code == "too-many-classes"
    assert made == 500
    classes.retire_unused([])
    assert classes.class_of(((1, 0), (2, 0))) > 0


def test_expiries_are_rounded_when_there_are_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "COARSE_AT", 10)
    classes = Book().classes
    assert classes.expiry_resolution(range(1000, 1009)) == 1
    assert classes.expiry_resolution(range(1000, 1100)) == 60
    assert classes.expiry_resolution(range(0, 100 * 60, 60)) == 3600
    for moment in range(1000, 1010):
        classes.class_of(((1, classes.round_expiry(moment)),))
    assert classes.round_expiry(1021) == 1080
