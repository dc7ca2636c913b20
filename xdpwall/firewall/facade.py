"""The protocols of a firewall, as the command line and the REST service use it.

Two classes implement `Facade`: Firewall (in this process) and cli/client's RemoteFirewall (over the
service's socket), so that a command behaves the same with the service and without it.
Every method raises only XdpwallError.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from xdpwall.ruleset.policy import Policy
from xdpwall.values.author import Author
from xdpwall.values.roles import Role
from xdpwall.values.terms import Direction, Hook, WantedMode
from xdpwall.views.attachments import AttachOutcome, DetachOutcome, InterfaceList, WantOutcome
from xdpwall.views.blocks import BlockList, BlockOutcome
from xdpwall.views.check import CheckReport
from xdpwall.views.containers import ContainerList, PublishedList
from xdpwall.views.events import PacketEvent
from xdpwall.views.explain import ExplainReport, PacketInput
from xdpwall.views.history import AuditTrailView, History, RollbackOutcome, RulesetDifference
from xdpwall.views.metrics import Metrics
from xdpwall.views.pending import PendingOutcome, PendingView
from xdpwall.views.rules import DeleteOutcome, RuleList, RuleOutcome, RuleView
from xdpwall.views.sets import SetChange, SetEntries, SetList, SetOutcome, SetTest, SetView
from xdpwall.views.status import (
    ApplyOutcome,
    Health,
    PolicyOutcome,
    RepairOutcome,
    RestoreOutcome,
    Stats,
    Status,
    SwitchOutcome,
)
from xdpwall.views.tokens import TokenList, TokenOutcome, TokensRevoked

from .facade_flows import FlowFacade
from .observation import Observation

if TYPE_CHECKING:
    from xdpwall.firewall.token_book import TokenBook
    from xdpwall.rule.rule import Rule
    from xdpwall.ruleset.attachment import AttachmentSpec
    from xdpwall.ruleset.edits import Where
    from xdpwall.ruleset.ruleset import Ruleset
    from xdpwall.sets.entries import Entries
    from xdpwall.views.events import EventsOutcome, EventsView


class Facade(FlowFacade, Protocol):
    """One instance. Changes are all or nothing and are in force when the call returns."""

    # -- reading ---------------------------------------------------------------------------------
    def status(self) -> Status: ...
    def interfaces(self) -> InterfaceList: ...
    def containers(self) -> ContainerList: ...
    def published(self) -> PublishedList: ...
    def rules(self) -> RuleList: ...
    def rule(self, rule_id: str) -> RuleView: ...
    def policy(self) -> Policy: ...
    def stats(self) -> Stats: ...
    def health(self) -> Health: ...
    def ruleset(self, *, sets: bool = False) -> tuple[int, Ruleset]:
        """The revision, and the ruleset with attachments, as `apply` takes it back.

        `sets` adds what they hold; `apply` leaves sets alone when it is not there.
        """
        ...

    def explain(
        self,
        packets: Sequence[PacketInput],
        ruleset: Ruleset | None = None,
        *,
        rules: Sequence[str] = (),
    ) -> ExplainReport:
        """What becomes of packets by a ruleset, or by the one in force, and why. Nothing is counted,
        reported or remembered. Sets and attachments that the ruleset does not state are those there
        are. Behind the packets come those made for `rules`, by id: NotFound, Conflict "no-packet"."""
        ...

    def check(self, ruleset: Ruleset | None = None) -> CheckReport:
        """What is wrong with a ruleset, rule by rule; None is the one in force. Sets and attachments
        that it does not state are those there are."""
        ...

    # -- rules -----------------------------------------------------------------------------------
    def add_rules(
        self, rules: Sequence[Rule], *, at: Where | None = None, by: Author = Author()
    ) -> RuleOutcome:
        """One commit. `at` is the first new rule's place from 1, or beside a rule; absent appends."""
        ...

    def set_rule(
        self, rule_id: str, changes: Mapping[str, Any], *, by: Author = Author()
    ) -> RuleOutcome:
        """Change only the named fields; None takes a field away. `{"text": ...}` replaces all."""
        ...

    def replace_rule(self, rule_id: str, rule: Rule, *, by: Author = Author()) -> RuleOutcome:
        """The rule keeps id and place; a field that is not given is gone."""
        ...

    def delete_rules(self, rule_ids: Sequence[str], *, by: Author = Author()) -> DeleteOutcome: ...
    def flush(self, *, by: Author = Author()) -> DeleteOutcome: ...
    def move_rule(self, rule_id: str, position: Where, *, by: Author = Author()) -> RuleOutcome: ...
    def enable_rules(
        self, rule_ids: Sequence[str], enabled: bool, *, by: Author = Author()
    ) -> RuleOutcome: ...
    def reset_counters(
        self, rule_ids: Sequence[str] | None = None, *, by: Author = Author()
    ) -> RuleOutcome: ...

    # -- sets ------------------------------------------------------------------------------------
    def sets(self) -> SetList: ...
    def set(self, name: str) -> SetView: ...
    def set_entries(self, name: str, *, start: int = 0, limit: int = 1000) -> SetEntries: ...
    def create_set(self, name: str, *, by: Author = Author()) -> SetOutcome:
        """An empty one; one that is there already stays as it is."""
        ...

    def replace_set(
        self,
        name: str,
        entries: Entries,
        *,
        timeouts: Mapping[str, str] | None = None,
        allow_empty: bool = True,
        most_shrink: int | None = None,
        by: Author = Author(),
    ) -> SetOutcome:
        """Exactly these entries, in one switch; made when absent. `timeouts`: entry -> time.
        Refused "set-emptied", "set-shrunk" where more would go than `allow_empty` and `most_shrink`,
        in percent, say."""
        ...

    def change_set(
        self,
        name: str,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        expires: str | None = None,
        by: Author = Author(),
    ) -> SetChange:
        """One entry or a few. What is there already gets `expires` (RFC 3339; None: for good)."""
        ...

    def delete_set(self, name: str, *, by: Author = Author()) -> DeleteOutcome:
        """Conflict "set-in-use" while a rule names it."""
        ...

    def test_set(self, name: str, address: str) -> SetTest: ...

    # -- blocks ----------------------------------------------------------------------------------
    def blocks(self) -> BlockList: ...
    def block(
        self,
        target: str,
        *,
        lasts: str | None = None,
        iface: str | None = None,
        spared: str | None = None,
        by: Author = Author(),
    ) -> BlockOutcome:
        """Drop what comes from an address, or what a rule says behind `drop`; `lasts` is a duration or
        a time, `spared` what is left out. Refused "own-address" for that of the asker."""
        ...

    def unblock(
        self,
        target: str,
        *,
        iface: str | None = None,
        spared: str | None = None,
        by: Author = Author(),
    ) -> BlockOutcome:
        """Take back what the same words blocked. NotFound "not-blocked"."""
        ...

    # -- everything else -------------------------------------------------------------------------
    def set_policy(
        self,
        changes: Mapping[str, str],
        *,
        dry_run: bool = False,
        add_missing: bool = False,
        by: Author = Author(),
    ) -> PolicyOutcome: ...
    def set_switch(self, on: bool, *, by: Author = Author()) -> SwitchOutcome: ...
    def apply(
        self,
        ruleset: Ruleset,
        *,
        dry_run: bool = False,
        adopt: bool = False,
        by: Author = Author(),
    ) -> ApplyOutcome:
        """`adopt`: also in the place of what the state folder does not know."""
        ...

    def attach(
        self,
        iface: str,
        *,
        hook: Hook = "xdp",
        direction: Direction = "ingress",
        mode: WantedMode = "auto",
        replace: bool = False,
        by: Author = Author(),
    ) -> AttachOutcome: ...
    def want(self, spec: AttachmentSpec, *, by: Author = Author()) -> WantOutcome:
        """Attach by policy: wherever an interface matches, now and later, until it is detached."""
        ...

    def detach(
        self,
        iface: str | None,
        *,
        hook: Hook | None = None,
        direction: Direction | None = None,
        by: Author = Author(),
    ) -> DetachOutcome:
        """`iface` None is every interface; `hook` and `direction` None are every hook on it."""
        ...

    def pending(self) -> PendingView | None:
        """The change that waits for its confirmation, None when none does."""
        ...

    def confirm(self, revision: int | None = None, *, by: Author = Author()) -> PendingOutcome:
        """Keep the change that waits; with `revision` only if it is that one. NotFound
        "nothing-pending", Conflict "other-change", "already-reverted"."""
        ...

    def rollback(
        self,
        revision: int | None = None,
        *,
        allow_empty: bool = False,
        dry_run: bool = False,
        by: Author = Author(),
    ) -> RollbackOutcome:
        """Take the change that waits back at once; where none waits, put the ruleset of `revision` in
        force again, None for the one before. NotFound "no-revision", Refused "set-gone" where its rules
        name a set that is gone, unless `allow_empty`."""
        ...

    def diff(self, ruleset: Ruleset) -> RulesetDifference:
        """What apply() would change."""
        ...

    def history(
        self,
        *,
        limit: int = 20,
        before: int | None = None,
        since: str | None = None,
        diff: bool = False,
    ) -> History:
        """Revisions with numbers below `before` and no older than `since`, newest first; `diff` adds what
        each changed."""
        ...

    def audit_trail(
        self, *, limit: int = 20, before: int | None = None, since: str | None = None
    ) -> AuditTrailView:
        """Everything that was done, refused or failed, newest first; `before` is an entry's number."""
        ...

    def restore(self, *, adopt: bool = False, by: Author = Author()) -> RestoreOutcome:
        """`adopt` as in apply()."""
        ...

    def appeared(self, ifaces: Collection[str], *, by: Author = Author()) -> RestoreOutcome:
        """Attach what is wanted on these interfaces, which have just come, and is not in place."""
        ...

    def repair(self, *, by: Author = Author()) -> RepairOutcome:
        """Make a damaged or lost database anew from its second copy; the kernel goes on as it is."""
        ...

    # -- tokens ----------------------------------------------------------------------------------
    def tokens(self) -> TokenList:
        """Every token, without its secret."""
        ...

    def add_token(
        self,
        name: str,
        role: str,
        *,
        expires: str | None = None,
        sources: Sequence[str] = (),
        by: Author = Author(),
    ) -> TokenOutcome:
        """`expires` is a time or a duration, `sources` are prefixes. Conflict "token-exists", Full
        "too-many-tokens"."""
        ...

    def rotate_token(self, name: str, *, by: Author = Author()) -> TokenOutcome:
        """A new secret; the former one is refused from now on."""
        ...

    def revoke_tokens(self, names: Sequence[str], *, by: Author = Author()) -> TokensRevoked:
        """All of them or, where one is unknown, none."""
        ...

    # -- events ----------------------------------------------------------------------------------
    def events(self) -> EventsView:
        """The settings of events, and how many packets became some."""
        ...

    def set_events(self, changes: Mapping[str, Any], *, by: Author = Author()) -> EventsOutcome:
        """Change only the named settings (views.events.EventSettings), with the next packet."""
        ...


class EventSource(Protocol):
    """Single packets as they come. To be used by one thread, but for close()."""

    def read(self, timeout: float, most: int = 4096) -> list[bytes]:
        """Records, oldest first, waiting up to `timeout` seconds for the first of them."""
        ...

    def decode(self, records: list[bytes]) -> list[PacketEvent]:
        """Decode the records, with the names that rules and interfaces had then."""
        ...

    def close(self) -> None:
        """Make room for the next reader."""
        ...


class ServiceFacade(Facade, Protocol):
    """The facade and the methods that only the service needs."""

    def advise(self, rule: Rule) -> list[str]:
        """Warnings about a rule that is not added yet."""
        ...

    def note(self, action: str, *, by: Author) -> None:
        """Write an entry of the audit trail about what changes nothing, such as a refusal."""
        ...

    @property
    def token_book(self) -> TokenBook:
        """Whose secret it is."""
        ...

    def open_session(self, owner: str, role: Role) -> TokenOutcome:
        """Make the token of a browser's session, for `owner`."""
        ...

    def metrics(self) -> Metrics:
        """The figures of /metrics."""
        ...

    def event_reader(self, who: str) -> EventSource:
        """The events as they come; one reader at a time."""
        ...

    def observe(self, before: Observation | None) -> Observation:
        """The state now; the audit trail continues from `before`."""
        ...
