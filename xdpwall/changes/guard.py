"""The lock-out guard at a change: whose connections it looks at, where, and what a finding does.

Asked between the writing of the idle copy and the switch to it, before a program is attached, before
`on`, and before the ruleset of another state is put in force. Called with the instance's lock held. What
cuts the asker's own connection, or one from an address that is logged in, is refused, unless the author
forces it or the kernel will take it back; of others that is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

from xdpwall.attach.length_warnings import meets_super_packets
from xdpwall.attach.relations import container_addresses, related, selectors_of
from xdpwall.errors import LockOut, XdpwallError
from xdpwall.instance.instance import Instance
from xdpwall.ruleset.attachment import Attachment
from xdpwall.ruleset.committed import CommittedRuleset
from xdpwall.values.author import Author

from .unrecorded import attachments_in_kernel

if TYPE_CHECKING:
    from xdpwall.dataplane.dataplane import Dataplane
    from xdpwall.dataplane.explaining import Answer
    from xdpwall.explain.connections import GuardedConnection
    from xdpwall.explain.frame import Frame
    from xdpwall.explain.guard import Cut, Judges, Spot
    from xdpwall.explain.suspects import Suspects
    from xdpwall.rule.rule import Rule
    from xdpwall.ruleset.policy import Policy
    from xdpwall.sets.entries import Entries


class Moves(NamedTuple):
    """The attachments that come and go with a change of the ruleset."""

    made: Sequence[Attachment] = ()
    """Just now, or behind the switch: their packets pass until then."""
    going: Sequence[Attachment] = ()
    """With the switch, or right after it: their packets pass from then on."""


NO_MOVES = Moves()


def guard_commit(
    instance: Instance,
    dataplane: Dataplane,
    old: CommittedRuleset,
    new: CommittedRuleset,
    *,
    by: Author,
    moves: Moves,
) -> None:
    """Guard the switch to the idle copy, which holds `new`. Raises LockOut."""
    from xdpwall.explain.suspects import Suspects, suspects_of

    now = dataplane.control.read()
    going = {row.number for row in moves.going}
    rows = [row for row in instance.attachments if row.number not in going]
    suspects = Suspects(None) if moves.made else suspects_of(old, new, {row.iface for row in rows})
    if not now.on or not rows or suspects is None:
        return
    fresh = {row.number for row in moves.made}
    ask = partial(_ask, dataplane)

    def passes(frame: Frame, spot: Spot) -> bool:
        return spot.number in fresh or not ask(frame, spot, now.copy).dropped

    def judge(frame: Frame, spot: Spot) -> Answer:
        return ask(frame, spot, 1 - now.copy)

    _guard(instance, by, _unmuted(dataplane, rows), suspects, _judges(new, passes, judge))


def guard_attach(instance: Instance, dataplane: Dataplane, row: Attachment, *, by: Author) -> None:
    """Guard the attachment of a program whose number the active generation has. Raises LockOut."""
    guard_attachments(instance, dataplane, [row], by=by)


def guard_attachments(
    instance: Instance, dataplane: Dataplane, rows: Sequence[Attachment], *, by: Author
) -> None:
    """guard_attach() for several at once."""
    from xdpwall.explain.suspects import Suspects

    now = dataplane.control.read()
    if now.on:
        judge = partial(_ask, dataplane, copy=now.copy)
        judges = _judges(instance.ruleset, _passes_all, judge)
        _guard(instance, by, rows, Suspects(None), judges)


def guard_on(instance: Instance, *, by: Author) -> None:
    """Guard the switch from off to on, by what the kernel holds. Raises LockOut."""
    from xdpwall.explain.suspects import Suspects

    with _doubting(instance), _maps_in_need(instance) as dataplane:
        if dataplane is None or (now := dataplane.control.read()).on:
            return
        rows = _unmuted(dataplane, attachments_in_kernel(instance))
        judge = partial(_ask, dataplane, copy=now.copy)
        known = CommittedRuleset()
        with suppress(XdpwallError):
            if instance.ruleset.revision == now.revision:
                known = instance.ruleset
        _guard(instance, by, rows, Suspects(None), _judges(known, _passes_all, judge))


@contextmanager
def _maps_in_need(instance: Instance) -> Iterator[Dataplane | None]:
    """The maps, also where the disk cannot be read; None when there are none."""
    from xdpwall.dataplane.dataplane import Dataplane

    try:
        found = instance.dataplane()
    except XdpwallError:
        opened = Dataplane(instance.settings.bpffs)
        try:
            if opened.alive():
                opened.open()
            yield opened if opened.alive() else None
        finally:
            opened.close()
    else:
        yield found


def guard_own(
    instance: Instance,
    dataplane: Dataplane,
    ruleset: CommittedRuleset,
    then: Callable[[Answer, Spot], Answer],
    *,
    by: Author,
    waiting: bool = False,
) -> None:
    """Guard the asker's own connection alone, where `then` makes of the answer now what it would be.
    `ruleset`: the one in force; if `waiting`, the one that it may be reverted to. Raises LockOut."""
    from .guarded import own_connection

    now = dataplane.control.read()
    if not now.on:
        return
    ask = partial(_ask, dataplane, copy=1 - now.copy if waiting else now.copy)

    def judge(frame: Frame, spot: Spot) -> Answer:
        return then(ask(frame, spot), spot)

    def passes(frame: Frame, spot: Spot) -> bool:
        return not ask(frame, spot).dropped

    rows = _unmuted(dataplane, instance.attachments)
    with _doubting(instance):
        mine = own_connection(by)
        _decide(instance, by, rows, _judges(ruleset, passes, judge), mine)


def guard_adoption(
    instance: Instance,
    rules: Sequence[Rule],
    policy: Policy,
    sets: Mapping[str, Entries],
    *,
    by: Author,
) -> None:
    """Guard a ruleset that is to take the place of what this state folder does not know; nothing of it is
    in the kernel yet. Raises LockOut."""
    from xdpwall.explain.classifier import Planned
    from xdpwall.explain.guard import Judges
    from xdpwall.explain.suspects import Suspects

    rows = attachments_in_kernel(instance)
    if not rows:
        return
    rows = related(rows, rules, instance.settings.containers)
    interfaces = {row.iface: row.relations for row in rows}
    addresses = container_addresses(selectors_of(rules), instance.settings.containers)
    with (
        _doubting(instance),
        Planned(rules, policy, sets, interfaces, instance.clock.offset, addresses) as planned,
    ):

        def judge(frame: Frame, spot: Spot) -> Answer:
            return planned.run(frame, spot.iface, spot.place)

        def rule_of(slot: int) -> tuple[int, Rule] | None:
            return slot + 1, rules[slot]

        judges = Judges(_passes_all, judge, rule_of, lambda: rules)
        _guard(instance, by, rows, Suspects(None), judges)


def _guard(
    instance: Instance,
    by: Author,
    rows: Sequence[Attachment],
    suspects: Suspects,
    judges: Judges,
) -> None:
    """Refuse what cuts a connection that must not be, and tell of others."""
    from xdpwall.explain.guard import other_words

    from .guarded import GuardedConnections

    with _doubting(instance):
        found = GuardedConnections(by, suspects)
        mine, others = found.protected(), found.others()
        _decide(instance, by, rows, judges, mine)
        if not others:
            return
        if cuts := _Cuts(rows, judges).among(others):
            instance.notices.append(
                other_words(cuts, judges, looked=found.looked_at, all_of_them=found.looked_at_all)
            )


def _decide(
    instance: Instance,
    by: Author,
    rows: Sequence[Attachment],
    judges: Judges,
    mine: Sequence[GuardedConnection],
) -> None:
    """Refuse what cuts one of these connections, unless the author will have it so."""
    from xdpwall.explain.guard import lock_out, own_words

    cuts = _Cuts(rows, judges).among(mine) if mine else []
    if not cuts:
        return
    if not by.force and by.confirm is None:
        raise lock_out(cuts, judges, confirmable=by.may_confirm)
    instance.notices.append(own_words(cuts, judges))


class _Cuts:
    """Finds the connections that are cut, on their ways through this host."""

    def __init__(self, rows: Sequence[Attachment], judges: Judges) -> None:
        from xdpwall.kernel.net.paths import Paths

        self._rows = rows
        self._judges = judges
        self._paths = Paths()

    def among(self, connections: Sequence[GuardedConnection]) -> list[Cut]:
        """Those that are cut, each once."""
        found = [self._cut(one) for one in connections]
        return [one for one in found if one is not None]

    def _cut(self, connection: GuardedConnection) -> Cut | None:
        from xdpwall.explain.guard import Spot, find_cut

        ends = connection.peer, connection.local, connection.bound
        ways = self._paths.to(*ends)
        spots = [
            Spot(row.iface, row.place, row.number, ways[row.index], meets_super_packets(row))
            for row in self._rows
            if row.index in ways
        ]
        known = replace(connection, neighbor=self._paths.neighbor(*ends))
        return find_cut(known, spots, self._judges)


def _judges(
    ruleset: CommittedRuleset,
    passes: Callable[[Frame, Spot], bool],
    judge: Callable[[Frame, Spot], Answer],
) -> Judges:
    from xdpwall.explain.guard import Judges

    @cache
    def by_slot() -> dict[int, tuple[int, Rule]]:
        return {entry.slot: (n, entry.rule) for n, entry in enumerate(ruleset.entries, 1)}

    return Judges(
        passes,
        judge,
        lambda slot: by_slot().get(slot),
        lambda: [entry.rule for entry in ruleset.entries],
    )


def _ask(dataplane: Dataplane, frame: Frame, spot: Spot, copy: int) -> Answer:
    from xdpwall.values.terms import hook_of

    data, question = frame.run_at(spot.place, spot.number, copy)
    return dataplane.programs.explainer(hook_of(spot.place)).ask(data, question)


def _passes_all(frame: Frame, spot: Spot) -> bool:
    return True


def _unmuted(dataplane: Dataplane, rows: Sequence[Attachment]) -> list[Attachment]:
    if not dataplane.control.read().muted:
        return list(rows)
    muted = dataplane.control.muted()
    return [row for row in rows if row.number not in muted]


@contextmanager
def _doubting(instance: Instance) -> Iterator[None]:
    """Go on where the guard cannot look, and say so: not every change may hang on it."""
    try:
        yield
    except LockOut:
        raise
    except (XdpwallError, OSError) as error:
        words = getattr(error, "message", str(error))
        instance.notices.append(f"whether it cuts your own connection is not known: {words}")
