"""The committed revisions, read back: who made each, and the ruleset that each of them was.

A revision is kept as its difference to the one before, so that a ruleset of before is found by going
back from the one in force.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from xdpwall.errors import Failed
from xdpwall.ruleset.committed import CommittedRuleset

from .revision_delta import RevisionDelta, stepped_back
from .session import Session


class RecordedRevision(NamedTuple):
    """Who made a revision, and how; columns as in the table."""

    number: int
    time: str
    author: str
    via: str
    action: str
    message: str | None


class RecordedHistory:
    """Reads the revisions."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def newest(
        self, limit: int, *, before: int | None = None, since: str | None = None
    ) -> list[RecordedRevision]:
        """At most `limit` committed revisions, newest first: with numbers below `before`, and no older
        than `since`, a canonical time."""
        with self._session.database.read() as connection:
            rows = connection.execute(
                "SELECT number, time, author, via, action, message FROM revisions"
                " WHERE state = 'committed' AND number < coalesce(?, number + 1)"
                " AND time >= coalesce(?, time) ORDER BY number DESC LIMIT ?",
                (before, since, limit),
            ).fetchall()
        return [RecordedRevision(*row) for row in rows]

    def oldest(self) -> int | None:
        """The number of the oldest revision that is kept."""
        with self._session.database.read() as connection:
            row = connection.execute(
                "SELECT min(number) FROM revisions WHERE state = 'committed'"
            ).fetchone()
        return None if row[0] is None else int(row[0])

    def slots_left(self, since: str | None = None) -> Iterator[tuple[str, str, int]]:
        """(canonical time, rule id, slot) for each rule that left its slot, newest first: in revisions no older
        than `since`, as far as they are kept and can be read."""
        for revision in self.newest(-1, since=since):
            with self._session.database.read() as connection:
                row = connection.execute(
                    "SELECT delta FROM revisions WHERE number = ?", (revision.number,)
                ).fetchone()
            try:
                left = RevisionDelta.unpack(row[0]).slots_left() if row else []
            except Failed:
                return
            yield from ((revision.time, rule, slot) for rule, slot in left)

    def rulesets(self) -> Iterator[CommittedRuleset]:
        """The ruleset in force, then that of each revision before it; the last is that before the oldest
        change that is kept. Failed "corrupt" when one cannot be read, or does not lead on."""
        ruleset = self._session.read().ruleset
        yield ruleset
        with self._session.database.read() as connection:
            numbers = [
                row[0]
                for row in connection.execute(
                    "SELECT number FROM revisions WHERE state = 'committed' AND number <= ?"
                    " ORDER BY number DESC",
                    (ruleset.revision,),
                )
            ]
        if not numbers or numbers[0] != ruleset.revision:
            return
        for number, earlier in zip(numbers, [*numbers[1:], numbers[-1] - 1], strict=True):
            with self._session.database.read() as connection:
                row = connection.execute(
                    "SELECT delta FROM revisions WHERE number = ?", (number,)
                ).fetchone()
            if row is None:  # another process made room meanwhile
                return
            try:
                ruleset = stepped_back(ruleset, RevisionDelta.unpack(row[0]), earlier)
            except (Failed, ValueError) as error:
                raise Failed(
                    f"what revision {number} changed cannot be read: nothing older can be shown or "
                    "rolled back to",
                    code="corrupt",
                    detail=str(error),
                ) from error
            yield ruleset
