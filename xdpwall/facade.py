"""What the command line and the REST service may ask of a firewall.

Two things keep this protocol: `firewall.Firewall` (in this process) and `cli.remote.RemoteFirewall`
(over the service's socket), so that a command behaves the same with the service and without it.
Every method raises only XdpwallError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from . import views, views_sets

if TYPE_CHECKING:
    from .model import Rule, Ruleset
    from .setentries import Entries
    from .views_packets import EventsOutcome, EventsView


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change, for the history."""

    name: str = "cli"
    """"uid 0", "token", ..."""
    via: str = "cli"
    """cli, socket, tcp"""
    message: str | None = None


class Facade(Protocol):
    """One instance. Changes are all or nothing and are in force when the call returns."""

    # -- reading ---------------------------------------------------------------------------------
    def status(self) -> views.Status: ...
    def interfaces(self) -> views.InterfaceList: ...
    def rules(self) -> views.RuleList: ...
    def rule(self, rule_id: str) -> views.RuleView: ...
    def policy(self) -> views.Policy: ...
    def stats(self) -> views.Stats: ...
    def health(self) -> views.Health: ...
    def ruleset(self, *, sets: bool = False) -> tuple[int, Ruleset]:
        """The revision, and the ruleset with attachments, as `apply` takes it back.

        `sets` adds what they hold; `apply` leaves sets alone when it is not there.
        """
        ...

    # -- rules -----------------------------------------------------------------------------------
    def add_rules(
        self, rules: Sequence[Rule], *, at: int | None = None, by: Author = Author()
    ) -> views.RuleOutcome:
        """One commit. `at` is the first new rule's place from 1; absent appends."""
        ...

    def set_rule(
        self, rule_id: str, changes: Mapping[str, Any], *, by: Author = Author()
    ) -> views.RuleOutcome:
        """Change only the named fields; None takes a field away. `{"text": ...}` replaces all."""
        ...

    def replace_rule(self, rule_id: str, rule: Rule, *, by: Author = Author()) -> views.RuleOutcome:
        """The rule keeps id and place; a field that is not given is gone."""
        ...

    def delete_rules(
        self, rule_ids: Sequence[str], *, by: Author = Author()
    ) -> views.DeleteOutcome: ...
    def flush(self, *, by: Author = Author()) -> views.DeleteOutcome: ...
    def move_rule(
        self, rule_id: str, position: int, *, by: Author = Author()
    ) -> views.RuleOutcome: ...
    def enable_rules(
        self, rule_ids: Sequence[str], enabled: bool, *, by: Author = Author()
    ) -> views.RuleOutcome: ...
    def reset_counters(
        self, rule_ids: Sequence[str] | None = None, *, by: Author = Author()
    ) -> views.RuleOutcome: ...

    # -- sets ------------------------------------------------------------------------------------
    def sets(self) -> views_sets.SetList: ...
    def set(self, name: str) -> views_sets.SetView: ...
    def set_entries(
        self, name: str, *, start: int = 0, limit: int = 1000
    ) -> views_sets.SetEntries: ...
    def create_set(self, name: str, *, by: Author = Author()) -> views_sets.SetOutcome:
        """An empty one; one that is there already stays as it is."""
        ...

    def replace_set(
        self,
        name: str,
        entries: Entries,
        *,
        timeouts: Mapping[str, str] | None = None,
        by: Author = Author(),
    ) -> views_sets.SetOutcome:
        """Exactly these entries, in one switch; made when absent. `timeouts`: entry -> time."""
        ...

    def change_set(
        self,
        name: str,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        expires: str | None = None,
        by: Author = Author(),
    ) -> views_sets.SetChange:
        """One entry or a few. What is there already gets `expires` (RFC 3339; None: for good)."""
        ...

    def delete_set(self, name: str, *, by: Author = Author()) -> views.DeleteOutcome:
        """Conflict "set-in-use" while a rule names it."""
        ...

    def test_set(self, name: str, address: str) -> views_sets.SetTest: ...

    # -- everything else -------------------------------------------------------------------------
    def set_policy(
        self, changes: Mapping[str, str], *, by: Author = Author()
    ) -> views.PolicyOutcome: ...
    def set_switch(self, on: bool, *, by: Author = Author()) -> views.SwitchOutcome: ...
    def apply(
        self, ruleset: Ruleset, *, dry_run: bool = False, by: Author = Author()
    ) -> views.ApplyOutcome: ...
    def attach(
        self,
        iface: str,
        *,
        hook: views.Hook = "xdp",
        direction: views.Direction = "ingress",
        mode: views.WantedMode = "auto",
        replace: bool = False,
        by: Author = Author(),
    ) -> views.AttachOutcome: ...
    def detach(
        self,
        iface: str | None,
        *,
        hook: views.Hook | None = None,
        direction: views.Direction | None = None,
        by: Author = Author(),
    ) -> views.DetachOutcome:
        """`iface` None is every interface; `hook` and `direction` None are every hook on it."""
        ...

    def restore(self, *, by: Author = Author()) -> views.RestoreOutcome: ...

    # -- events ----------------------------------------------------------------------------------
    def events(self) -> EventsView:
        """Which packets become events, and how many did."""
        ...

    def set_events(self, changes: Mapping[str, Any], *, by: Author = Author()) -> EventsOutcome:
        """Only the named settings change (views_packets.EventSettings), with the next packet."""
        ...
