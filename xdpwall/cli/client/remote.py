"""The firewall over the service's socket."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from xdpwall.ruleset.policy import Policy
from xdpwall.values.author import Author
from xdpwall.values.terms import Direction, Hook, WantedMode
from xdpwall.views.attachments import AttachOutcome, DetachOutcome, InterfaceList, WantOutcome
from xdpwall.views.check import CheckReport
from xdpwall.views.containers import ContainerList, PublishedList
from xdpwall.views.events import EventsOutcome, EventsView
from xdpwall.views.explain import ExplainReport, PacketInput
from xdpwall.views.pending import PendingOutcome, PendingView
from xdpwall.views.rules import DeleteOutcome, RuleList, RuleOutcome, RuleView
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

from .http import ServiceAnswer
from .remote_flows import RemoteFlows
from .remote_history import RemoteHistory
from .remote_sets import RemoteSets
from .remote_tokens import RemoteTokens
from .service_calls import ANYBODY, read_answer, unreadable

if TYPE_CHECKING:
    from xdpwall.rule.rule import Rule
    from xdpwall.ruleset.attachment import AttachmentSpec
    from xdpwall.ruleset.edits import Where
    from xdpwall.ruleset.ruleset import Ruleset

_BESIDE_RULE = ("revision", "warnings", "pending")
"""What stands among the fields of a rule in the answer about it."""


class RemoteFirewall(RemoteSets, RemoteHistory, RemoteFlows, RemoteTokens):
    """Keeps facade.Facade. The service notes the peer's uid; of `by` only the message goes over."""

    # -- reading ---------------------------------------------------------------------------------
    def status(self) -> Status:
        return self._get(Status, "/status")

    def interfaces(self) -> InterfaceList:
        return self._get(InterfaceList, "/interfaces")

    def containers(self) -> ContainerList:
        return self._get(ContainerList, "/containers")

    def published(self) -> PublishedList:
        return self._get(PublishedList, "/containers/published")

    def rules(self) -> RuleList:
        return self._get(RuleList, "/rules")

    def rule(self, rule_id: str) -> RuleView:
        return self._get(RuleView, _rule(rule_id))

    def policy(self) -> Policy:
        return self._get(Policy, "/policy")

    def stats(self) -> Stats:
        return self._get(Stats, "/stats")

    def events(self) -> EventsView:
        return self._get(EventsView, "/events/settings")

    def set_events(self, changes: Mapping[str, Any], *, by: Author = ANYBODY) -> EventsOutcome:
        return read_answer(
            EventsOutcome, self._change("PUT", "/events/settings", dict(changes), by).body
        )

    def health(self) -> Health:
        return self._get(Health, "/healthz")

    def ruleset(self, *, sets: bool = False) -> tuple[int, Ruleset]:
        from xdpwall.ruleset.ruleset import Ruleset

        query = {"sets": "true"} if sets else {}
        answer = self._transport.call("GET", "/ruleset", query=query)
        if answer.revision is None:
            raise unreadable("/ruleset has no revision")
        return answer.revision, Ruleset.parse(answer.body)

    def check(self, ruleset: Ruleset | None = None) -> CheckReport:
        body = None if ruleset is None else ruleset.to_json()
        return read_answer(CheckReport, self._transport.call("POST", "/check", body).body)

    def explain(
        self,
        packets: Sequence[PacketInput],
        ruleset: Ruleset | None = None,
        *,
        rules: Sequence[str] = (),
    ) -> ExplainReport:
        body: dict[str, Any] = {}
        if packets:
            body["packets"] = [one if isinstance(one, str) else one.to_json() for one in packets]
        if rules:
            body["rules"] = list(rules)
        if ruleset is not None:
            body["ruleset"] = ruleset.to_json()
        return read_answer(ExplainReport, self._transport.call("POST", "/explain", body).body)

    # -- rules -----------------------------------------------------------------------------------
    def add_rules(
        self, rules: Sequence[Rule], *, at: Where | None = None, by: Author = ANYBODY
    ) -> RuleOutcome:
        bodies = [rule.to_json() for rule in rules]
        if at is not None:
            bodies[0] |= _where_body(at)
        if len(bodies) == 1:
            return _one(self._change("POST", "/rules", bodies[0], by))
        return read_answer(RuleOutcome, self._change("POST", "/rules", bodies, by).body)

    def set_rule(
        self, rule_id: str, changes: Mapping[str, Any], *, by: Author = ANYBODY
    ) -> RuleOutcome:
        return _one(self._change("PATCH", _rule(rule_id), dict(changes), by))

    def replace_rule(self, rule_id: str, rule: Rule, *, by: Author = ANYBODY) -> RuleOutcome:
        return _one(self._change("PUT", _rule(rule_id), rule.to_json(), by))

    def delete_rules(self, rule_ids: Sequence[str], *, by: Author = ANYBODY) -> DeleteOutcome:
        if len(rule_ids) == 1:
            answer = self._change("DELETE", _rule(rule_ids[0]), None, by)
        else:
            answer = self._change("POST", "/rules/delete", {"ids": list(rule_ids)}, by)
        return read_answer(DeleteOutcome, answer.body)

    def flush(self, *, by: Author = ANYBODY) -> DeleteOutcome:
        return read_answer(DeleteOutcome, self._change("POST", "/rules/flush", None, by).body)

    def move_rule(self, rule_id: str, position: Where, *, by: Author = ANYBODY) -> RuleOutcome:
        return _one(self._change("POST", f"{_rule(rule_id)}/move", _where_body(position), by))

    def enable_rules(
        self, rule_ids: Sequence[str], enabled: bool, *, by: Author = ANYBODY
    ) -> RuleOutcome:
        path = f"/rules/{'enable' if enabled else 'disable'}"
        answer = self._change("POST", path, {"ids": list(rule_ids)}, by)
        return read_answer(RuleOutcome, answer.body)

    def reset_counters(
        self, rule_ids: Sequence[str] | None = None, *, by: Author = ANYBODY
    ) -> RuleOutcome:
        if rule_ids is not None and len(rule_ids) == 1:
            return _one(self._change("POST", f"{_rule(rule_ids[0])}/reset-counters", None, by))
        body = None if rule_ids is None else {"ids": list(rule_ids)}
        answer = self._change("POST", "/rules/reset-counters", body, by)
        return read_answer(RuleOutcome, answer.body)

    # -- everything else -------------------------------------------------------------------------
    def set_policy(
        self,
        changes: Mapping[str, str],
        *,
        dry_run: bool = False,
        add_missing: bool = False,
        by: Author = ANYBODY,
    ) -> PolicyOutcome:
        query = {"dry_run": "true"} if dry_run else {}
        query |= {"add_missing": "true"} if add_missing else {}
        answer = self._change("PUT", "/policy", dict(changes), by, query)
        return read_answer(PolicyOutcome, answer.body)

    def set_switch(self, on: bool, *, by: Author = ANYBODY) -> SwitchOutcome:
        return read_answer(SwitchOutcome, self._change("PUT", "/switch", {"on": on}, by).body)

    def apply(
        self,
        ruleset: Ruleset,
        *,
        dry_run: bool = False,
        adopt: bool = False,
        by: Author = ANYBODY,
    ) -> ApplyOutcome:
        query = {"dry_run": "true"} if dry_run else {}
        query |= {"adopt": "true"} if adopt else {}
        answer = self._change("PUT", "/ruleset", ruleset.to_json(), by, query)
        return read_answer(ApplyOutcome, answer.body)

    def attach(
        self,
        iface: str,
        *,
        hook: Hook = "xdp",
        direction: Direction = "ingress",
        mode: WantedMode = "auto",
        replace: bool = False,
        by: Author = ANYBODY,
    ) -> AttachOutcome:
        body = {"mode": mode, "replace": replace} if hook == "xdp" else {"replace": replace}
        answer = self._change("PUT", _place(iface, hook, direction), body, by)
        return read_answer(AttachOutcome, answer.body)

    def want(self, spec: AttachmentSpec, *, by: Author = ANYBODY) -> WantOutcome:
        body: dict[str, Any] = {"if_present": spec.if_present, "hold": spec.hold}
        if spec.hook == "xdp":
            body["mode"] = spec.mode
        path = _place(spec.iface, spec.hook, spec.direction)
        return read_answer(WantOutcome, self._change("PUT", path, body, by).body)

    def detach(
        self,
        iface: str | None,
        *,
        hook: Hook | None = None,
        direction: Direction | None = None,
        by: Author = ANYBODY,
    ) -> DetachOutcome:
        path = "/attachments" if iface is None else f"{_iface(iface)}/attachments"
        query = {"hook": hook, "direction": direction}
        return read_answer(DetachOutcome, self._change("DELETE", path, None, by, query).body)

    def pending(self) -> PendingView | None:
        return self.status().pending

    def confirm(self, revision: int | None = None, *, by: Author = ANYBODY) -> PendingOutcome:
        body = {} if revision is None else {"revision": revision}
        return read_answer(PendingOutcome, self._change("POST", "/ruleset/confirm", body, by).body)

    def restore(self, *, adopt: bool = False, by: Author = ANYBODY) -> RestoreOutcome:
        query = {"adopt": "true"} if adopt else {}
        return read_answer(RestoreOutcome, self._change("POST", "/restore", None, by, query).body)

    def appeared(self, ifaces: Collection[str], *, by: Author = ANYBODY) -> RestoreOutcome:
        body = {"interfaces": list(ifaces)}
        return read_answer(RestoreOutcome, self._change("POST", "/appeared", body, by).body)

    def repair(self, *, by: Author = ANYBODY) -> RepairOutcome:
        return read_answer(RepairOutcome, self._change("POST", "/repair", None, by).body)


def rules_of(body: Any) -> RuleList:
    """Read the answer to GET /rules; Failed "version-skew" when it is something else."""
    return read_answer(RuleList, body)


def _rule(rule_id: str) -> str:
    return f"/rules/{quote(rule_id, safe='')}"


def _iface(name: str) -> str:
    return f"/interfaces/{quote(name, safe='')}"


def _place(iface: str, hook: str, direction: str) -> str:
    place = "xdp" if hook == "xdp" else f"tc-{direction}"
    return f"{_iface(iface)}/attachments/{place}"


def _one(answer: ServiceAnswer) -> RuleOutcome:
    """The answer about a single rule: the rule's fields with revision and warnings among them."""
    body = answer.body
    if not isinstance(body, dict):
        raise unreadable("a rule is no object")
    rule = {k: v for k, v in body.items() if k not in _BESIDE_RULE}
    rest = {k: v for k, v in body.items() if k in _BESIDE_RULE}
    return read_answer(RuleOutcome, {**rest, "rules": [rule]})


def _where_body(where: Where) -> dict[str, Any]:
    """The fields of a body that say where a rule goes."""
    return {"position": where} if isinstance(where, int) else {where.where: where.rule_id}
