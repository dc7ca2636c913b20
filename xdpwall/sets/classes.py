"""Classes: what an address belongs to, as small numbers that the kernel's entries bear. Pure.

A class stands for members: (set number, when that ends), sorted by number. One with endings is the
head of a chain: at the first ending its address belongs to the class without that member, and so
on. What a class matches is compiled into the generation by its set numbers alone, so a class can
be used at once when the generation knows one of the same numbers that stands for nothing yet: a
spare. Spares are made in advance, and out of classes that no entry bears any more.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, MutableMapping

from xdpwall.errors import Full

Members = tuple[tuple[int, int], ...]
"""(set number, seconds since 1970 at which it ends; 0 is for good), by number, each once."""
Numbers = frozenset[int]

LIMIT = 65535
STEPS = 8
"""Different endings of one class: how far the kernel follows a chain (XW_CLASS_STEPS)."""
_SPARES = 8
_MOST_SPARES = 1024
CROWDED = 24_000
"""Classes with endings; past it new endings are rounded up to whole minutes, past twice as many to
whole hours."""
_GRAINS = (1, 60, 3600)


def joined(members: Members, number: int, expires: int) -> Members:
    """With this membership in place of the set's former one."""
    return tuple(sorted([*(m for m in members if m[0] != number), (number, expires)]))


def without(members: Members, number: int) -> Members:
    """Without this set."""
    return tuple(m for m in members if m[0] != number)


def merged(a: Members, b: Members) -> Members:
    """In either: of two endings of one set the later counts."""
    if not a or not b or a == b:
        return a or b
    both = dict(a)
    for number, expires in b:
        had = both.get(number, expires)
        both[number] = 0 if 0 in (had, expires) else max(had, expires)
    return tuple(sorted(both.items()))


def spelled(members: Members) -> str:
    """As the store keeps it: `3 7@1790000000`."""
    return " ".join(f"{n}@{expires}" if expires else str(n) for n, expires in members)


def read_members(text: str) -> Members:
    """The inverse of `spelled`."""
    parts = (part.partition("@") for part in text.split())
    return tuple((int(number), int(expires or 0)) for number, _, expires in parts)


class Classes:
    """All classes of an instance. Every change of a row also goes into `rows`, for the store."""

    def __init__(
        self,
        stored: Mapping[int, str],
        rows: MutableMapping[int, str | None],
        wait: Callable[[], None],
    ) -> None:
        """`wait` returns when no packet can still bear in mind a class that it read before."""
        self._rows, self._wait = rows, wait
        self._members: dict[int, Members] = {}
        self._ids: dict[Members, int] = {(): 0}
        self.numbers: dict[int, Numbers] = {}
        """Class -> its set numbers, spares included: what the compiler takes."""
        self.visible: Numbers = frozenset()
        self._spares: dict[Numbers, list[int]] = {}
        self._limbo: list[int] = []
        self._freed: list[int] = []
        self._next = 1
        self._timed = 0
        self.fresh: set[int] = set()
        """Classes whose `ending` the kernel has not been told."""
        self.gone: set[int] = set()
        """Numbers that stand for no class any more, likewise."""
        for number, text in stored.items():
            self._next = max(self._next, number + 1)
            if text.startswith("?"):
                self._spare(number, frozenset(n for n, _ in read_members(text[1:])))
            else:
                self._enter(number, read_members(text))

    # -- asking ----------------------------------------------------------------------------------
    def members(self, number: int) -> Members:
        """What a class stands for; class 0 is in no set."""
        return self._members.get(number, ())

    def ending(self, number: int) -> tuple[int, int]:
        """(seconds since 1970 of the first ending, the class from then on), or (0, 0)."""
        members = self.members(number)
        first = min((expires for _, expires in members if expires), default=0)
        return (first, self._ids[_past(members, first)]) if first else (0, 0)

    def mark(self, number: int) -> int:
        """A fingerprint, not 0, of those of a class's sets that rules can name."""
        seen = ",".join(map(str, sorted(self.numbers[number] & self.visible)))
        return zlib.crc32(seen.encode()) or 1

    def grain(self, moments: Iterable[int] = ()) -> int:
        """Seconds to whose multiples endings are rounded up, once these have come: 1, while there
        is room for a class for each second."""
        moments = list(moments)
        for grain in _GRAINS[:-1]:
            coming = len({-(-moment // grain) for moment in moments}) if moments else 0
            if self._timed + coming < (CROWDED if grain == 1 else 2 * CROWDED):
                return grain
        return _GRAINS[-1]

    def round(self, expires: int) -> int:
        """The ending that a class is given for an entry's."""
        grain = self.grain()
        return -(-expires // grain) * grain

    def with_rest(self, borne: Iterable[int]) -> set[int]:
        """These and what they turn into; without 0, which is in no set."""
        found = set[int]()
        for number in borne:
            while number and number not in found and number in self._members:
                found.add(number)
                number = self.ending(number)[1]
        return found

    @property
    def timed(self) -> bool:
        """Whether some class ends."""
        return self._timed > 0

    def bearing(self, number: int) -> list[int]:
        """The classes that have a set among their members."""
        return [c for c, members in self._members.items() if any(m[0] == number for m in members)]

    def over(self, now: int) -> list[int]:
        """The classes one of whose endings has passed."""
        return [
            c
            for c, members in self._members.items()
            if any(0 < expires <= now for _, expires in members)
        ]

    # -- changing --------------------------------------------------------------------------------
    def see(self, visible: Numbers) -> None:
        """Which set numbers rules can name from now on."""
        if visible == self.visible:
            return
        self.visible = visible
        idle = [c for spares in self._spares.values() for c in spares]
        self._spares = {}
        for number in idle:
            self._spare(number, self.numbers[number])

    def reserve(self, number: int) -> None:
        """Spares for a set that is about to exist, so that its first entries need no commit."""
        spares = self._new(_SPARES)
        for spare in spares:
            self._spare(spare, frozenset((number,)))
            self._rows[spare] = _idle(self.numbers[spare])

    def id_of(self, members: Members) -> int:
        """The class of these members, made when there is none. Full when no number is left, or
        they end at too many different moments."""
        known = self._ids.get(members)
        if known is not None:
            return known
        moments = {expires for _, expires in members if expires}
        if len(moments) > STEPS:
            raise Full(
                f"an address would leave its sets at {len(moments)} different times; at most "
                f"{STEPS} are possible",
                code="too-many-timeouts",
                hint="give the same timeout in several of the sets",
            )
        if moments:
            self.id_of(_past(members, min(moments)))
        number = self._take(frozenset(n for n, _ in members), bool(moments))
        self._enter(number, members)
        self._rows[number] = spelled(members)
        self.fresh.add(number)
        return number

    def retire(self, classes: Iterable[int]) -> None:
        """No entry in the kernel bears these any more, and none will before they are given anew."""
        for number in classes:
            members = self._members.pop(number, None)
            if members is None:
                continue
            del self._ids[members]
            self._timed -= any(expires for _, expires in members)
            self.fresh.discard(number)
            key = self.numbers[number] & self.visible
            if len(self._spares.get(key, ())) + len(self._limbo) < _MOST_SPARES:
                self.numbers[number] = key
                self._rows[number] = _idle(key)
                self._limbo.append(number)
            else:
                del self.numbers[number]
                self._rows[number] = None
                self._freed.append(number)
                self.gone.add(number)

    def keep(self, borne: Iterable[int]) -> None:
        """Retire all but these and what they turn into."""
        kept = self.with_rest(borne)
        self.retire([number for number in self._members if number not in kept])

    # -- inside ----------------------------------------------------------------------------------
    def _enter(self, number: int, members: Members) -> None:
        self._members[number] = members
        self._ids[members] = number
        self.numbers[number] = frozenset(n for n, _ in members)
        self._timed += any(expires for _, expires in members)

    def _spare(self, number: int, numbers: Numbers) -> None:
        self.numbers[number] = numbers
        self._spares.setdefault(numbers & self.visible, []).append(number)

    def _take(self, numbers: Numbers, timed: bool) -> int:
        """A number for a class of these sets: a spare that looks the same, else a new one."""
        key = numbers & self.visible
        if not self._spares.get(key) and self._limbo:
            self._wait()
            for idle in self._limbo:
                self._spare(idle, self.numbers[idle])
            self._limbo = []
        if not self._spares.get(key):
            more = _SPARES
            if timed:  # every second may bring another: as many again as there are
                alike = sum(other & self.visible == key for other in self.numbers.values())
                more = min(_MOST_SPARES // 2, max(_SPARES, alike))
            for number in self._new(more):
                self._spare(number, key)
                self._rows[number] = _idle(key)
        if spares := self._spares.get(key):
            return spares.pop()
        raise Full(
            f"{LIMIT} combinations of sets and timeouts are in use, the most that fit",
            code="too-many-classes",
            hint="give entries the same expiry, or keep fewer addresses in several sets at once",
        )

    def _new(self, count: int) -> list[int]:
        numbers: list[int] = []
        if self._freed:
            self._wait()
        while len(numbers) < count and (self._freed or self._next <= LIMIT):
            if self._freed:
                numbers.append(self._freed.pop())
            else:
                numbers.append(self._next)
                self._next += 1
        return numbers


def _past(members: Members, moment: int) -> Members:
    return tuple(m for m in members if m[1] != moment)


def _idle(numbers: Numbers) -> str:
    return "?" + " ".join(map(str, sorted(numbers)))
