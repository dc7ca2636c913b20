"""Set memberships as small numbers, the classes. Pure.

The kernel stores one class number for each address or prefix. A class stands for memberships, pairs
of (set number, expiry); a generation has rows (struct xw_class_rows) for each class, and so a packet
finds the rules of all sets of its address by one lookup. An example, with sets 3 and 7:

    10.0.0.1   is in 3 for good, in 7 until 12:00    class 5
    10.0.0.2   is in 3 for good                      class 2

    class   memberships   expiry step                sets, for the generation
    5       3 7@12:00     at 12:00 class 2           {3, 7}
    2       3             none                       {3}
    8       spare         none                       {3, 7}

Expiry steps form a chain, which the classifier follows by the clock (struct xw_class): here 5 -> 2.
A generation only cares for the sets of a class and not for its expiries. So when 10.0.0.3 joins 7
until 13:00, spare class 8 becomes `3 7@13:00` and no generation has to be compiled. Spare classes
are made in advance, and from retired ones: class numbers that no entry has any more.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, MutableMapping

from xdpwall.errors import Full

Members = tuple[tuple[int, int], ...]
"""(set number, expiry in seconds since 1970 or 0 for none), sorted by number, each set once."""
SetNumbers = frozenset[int]

MAX_CLASS = 65535
"""The highest class number (XW_CLASSES - 1)."""
MAX_EXPIRY_STEPS = 8
"""The longest chain of expiry steps that the classifier follows (XW_CLASS_STEPS)."""
_SPARES = 8
_MAX_SPARES = 1024
COARSE_AT = 24_000
"""From so many classes with an expiry on, expiries are rounded up to whole minutes; from twice as
many on, to whole hours."""
_RESOLUTIONS = (1, 60, 3600)


def with_membership(members: Members, number: int, expires: int) -> Members:
    """Add a membership of set `number`, in place of a former one of the same set."""
    return tuple(sorted([*(m for m in members if m[0] != number), (number, expires)]))


def without_set(members: Members, number: int) -> Members:
    """Remove the membership of set `number`, if there is one."""
    return tuple(m for m in members if m[0] != number)


def merge_members(a: Members, b: Members) -> Members:
    """Unite memberships; where both have a set, the later expiry counts."""
    if not a or not b or a == b:
        return a or b
    both = dict(a)
    for number, expires in b:
        had = both.get(number, expires)
        both[number] = 0 if 0 in (had, expires) else max(had, expires)
    return tuple(sorted(both.items()))


def members_text(members: Members) -> str:
    """Format as in the store: `3 7@1790000000`."""
    return " ".join(f"{n}@{expires}" if expires else str(n) for n, expires in members)


def parse_members(text: str) -> Members:
    """Parse what `members_text` formats."""
    parts = (part.partition("@") for part in text.split())
    return tuple((int(number), int(expires or 0)) for number, _, expires in parts)


class Classes:
    """All classes of an instance."""

    def __init__(
        self,
        stored: Mapping[int, str],
        rows: MutableMapping[int, str | None],
        wait_grace_period: Callable[[], None],
    ) -> None:
        """`stored`: the store's table of classes. `rows`: gets every row that changes from now on,
        None for one to delete; the caller saves them.

        `wait_grace_period` blocks for an RCU grace period: afterwards no running program holds a
        class number that it read before the call.
        """
        self._rows, self._wait_grace_period = rows, wait_grace_period
        self._members: dict[int, Members] = {}
        self._ids: dict[Members, int] = {(): 0}
        self.set_numbers: dict[int, SetNumbers] = {}
        """Class -> its set numbers, spare classes included: what the compiler takes."""
        self.visible: SetNumbers = frozenset()
        """The set numbers that rules can name."""
        self._spares: dict[SetNumbers, list[int]] = {}
        """Visible set numbers -> spare classes of them."""
        self._retired: list[int] = []
        """Spare classes once a grace period has passed."""
        self._freed: list[int] = []
        """Numbers of no class, to be used again after a grace period."""
        self._next = 1
        self._timed = 0
        self.unwritten: set[int] = set()
        """Classes whose expiry steps the kernel does not have yet."""
        self.stale_fingerprints: set[int] = set()
        """Freed numbers whose fingerprints the kernel still has."""
        for number, text in stored.items():
            self._next = max(self._next, number + 1)
            if text.startswith("?"):
                self._add_spare(number, frozenset(n for n, _ in parse_members(text[1:])))
            else:
                self._add_class(number, parse_members(text))

    # -- asking ----------------------------------------------------------------------------------
    def members(self, number: int) -> Members:
        """The memberships of a class; () for class 0, spare classes and unknown numbers."""
        return self._members.get(number, ())

    def expiry_step(self, number: int) -> tuple[int, int]:
        """(first expiry in seconds since 1970, the class from then on); (0, 0) for none."""
        members = self.members(number)
        first = min((expires for _, expires in members if expires), default=0)
        return (first, self._ids[_without_expiry(members, first)]) if first else (0, 0)

    def fingerprint(self, number: int) -> int:
        """CRC-32 (never 0) of the class's visible set numbers: equal ones need equal rows."""
        seen = ",".join(map(str, sorted(self.set_numbers[number] & self.visible)))
        return zlib.crc32(seen.encode()) or 1

    def expiry_resolution(self, moments: Iterable[int] = ()) -> int:
        """The seconds (1, 60 or 3600) to multiples of which expiries are rounded up: each different
        expiry takes a class, and there are 65,535. `moments` are expiries about to be added."""
        moments = list(moments)
        for resolution in _RESOLUTIONS[:-1]:
            coming = len({-(-moment // resolution) for moment in moments}) if moments else 0
            if self._timed + coming < (COARSE_AT if resolution == 1 else 2 * COARSE_AT):
                return resolution
        return _RESOLUTIONS[-1]

    def round_expiry(self, expires: int) -> int:
        """Round an entry's expiry up to the resolution."""
        resolution = self.expiry_resolution()
        return -(-expires // resolution) * resolution

    def with_successors(self, classes: Iterable[int]) -> set[int]:
        """These classes and those that their expiry steps lead to; without class 0."""
        found = set[int]()
        for number in classes:
            while number and number not in found and number in self._members:
                found.add(number)
                number = self.expiry_step(number)[1]
        return found

    @property
    def has_timed(self) -> bool:
        """Whether any class has an expiry."""
        return self._timed > 0

    def timed(self) -> list[int]:
        """The classes that have an expiry step."""
        return [c for c, members in self._members.items() if any(expires for _, expires in members)]

    def classes_with_set(self, number: int) -> list[int]:
        """The classes that have a membership of set `number`."""
        return [c for c, members in self._members.items() if any(m[0] == number for m in members)]

    def expired(self, now: int) -> list[int]:
        """The classes of which some membership has expired by `now`, seconds since 1970."""
        return [
            c
            for c, members in self._members.items()
            if any(0 < expires <= now for _, expires in members)
        ]

    # -- changing --------------------------------------------------------------------------------
    def set_visible(self, visible: SetNumbers) -> None:
        """Tell which set numbers rules can name from now on."""
        if visible == self.visible:
            return
        self.visible = visible
        spares = [c for alike in self._spares.values() for c in alike]
        self._spares = {}
        for number in spares:
            self._add_spare(number, self.set_numbers[number])

    def reserve_spares(self, number: int) -> None:
        """Make spare classes for a new set, so that its first entries need no new generation."""
        spares = self._new_numbers(_SPARES)
        for spare in spares:
            self._add_spare(spare, frozenset((number,)))
            self._rows[spare] = _spare_text(self.set_numbers[spare])

    def class_of(self, members: Members) -> int:
        """The class of these memberships, made if there is none. Raises Full: "too-many-classes",
        or "too-many-timeouts" for more than MAX_EXPIRY_STEPS different expiries."""
        known = self._ids.get(members)
        if known is not None:
            return known
        moments = {expires for _, expires in members if expires}
        if len(moments) > MAX_EXPIRY_STEPS:
            raise Full(
                f"an address would leave its sets at {len(moments)} different times; at most "
                f"{MAX_EXPIRY_STEPS} are possible",
                code="too-many-timeouts",
                hint="give the same timeout in several of the sets",
            )
        if moments:
            self.class_of(_without_expiry(members, min(moments)))
        number = self._take_number(frozenset(n for n, _ in members), bool(moments))
        self._add_class(number, members)
        self._rows[number] = members_text(members)
        self.unwritten.add(number)
        return number

    def retire(self, classes: Iterable[int]) -> None:
        """Turn classes that no entry in the kernel has into spare classes, or free their numbers
        when there are enough of those."""
        for number in classes:
            members = self._members.pop(number, None)
            if members is None:
                continue
            del self._ids[members]
            self._timed -= any(expires for _, expires in members)
            self.unwritten.discard(number)
            key = self.set_numbers[number] & self.visible
            if len(self._spares.get(key, ())) + len(self._retired) < _MAX_SPARES:
                self.set_numbers[number] = key
                self._rows[number] = _spare_text(key)
                self._retired.append(number)
            else:
                del self.set_numbers[number]
                self._rows[number] = None
                self._freed.append(number)
                self.stale_fingerprints.add(number)

    def retire_unused(self, used: Iterable[int]) -> None:
        """Retire all classes but those that entries have, and their successors."""
        kept = self.with_successors(used)
        self.retire([number for number in self._members if number not in kept])

    # -- inside ----------------------------------------------------------------------------------
    def _add_class(self, number: int, members: Members) -> None:
        self._members[number] = members
        self._ids[members] = number
        self.set_numbers[number] = frozenset(n for n, _ in members)
        self._timed += any(expires for _, expires in members)

    def _add_spare(self, number: int, numbers: SetNumbers) -> None:
        self.set_numbers[number] = numbers
        self._spares.setdefault(numbers & self.visible, []).append(number)

    def _take_number(self, numbers: SetNumbers, timed: bool) -> int:
        """A class number for these sets: a spare class with the same rows, else a new one."""
        key = numbers & self.visible
        if not self._spares.get(key) and self._retired:
            self._wait_grace_period()
            for retired in self._retired:
                self._add_spare(retired, self.set_numbers[retired])
            self._retired = []
        if not self._spares.get(key):
            more = _SPARES
            if timed:  # every second may bring another: as many again as there are
                alike = sum(other & self.visible == key for other in self.set_numbers.values())
                more = min(_MAX_SPARES // 2, max(_SPARES, alike))
            for number in self._new_numbers(more):
                self._add_spare(number, key)
                self._rows[number] = _spare_text(key)
        if spares := self._spares.get(key):
            return spares.pop()
        raise Full(
            f"{MAX_CLASS} combinations of sets and timeouts are in use, the most that fit",
            code="too-many-classes",
            hint="give entries the same expiry, or keep fewer addresses in several sets at once",
        )

    def _new_numbers(self, count: int) -> list[int]:
        """Up to `count` numbers that no class has."""
        numbers: list[int] = []
        if self._freed:
            self._wait_grace_period()
        while len(numbers) < count and (self._freed or self._next <= MAX_CLASS):
            if self._freed:
                numbers.append(self._freed.pop())
            else:
                numbers.append(self._next)
                self._next += 1
        return numbers


def _without_expiry(members: Members, moment: int) -> Members:
    return tuple(m for m in members if m[1] != moment)


def _spare_text(numbers: SetNumbers) -> str:
    return "?" + " ".join(map(str, sorted(numbers)))
