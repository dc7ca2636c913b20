"""The REST service: imported as xdpwall.api, never as api.

Everything is under /api/v1; bodies and answers are JSON; answers are the models of xdpwall/views
with absent fields left out.

    GET    /healthz (also at the root; no token)   Health
    GET    /status                                 Status
    GET    /stats                                  Stats
    GET    /events                                 server-sent events: xdpwall/views/stream.py
    GET    /events/settings                        EventsView
    PUT    /events/settings                        the named settings -> EventsOutcome
    GET    /metrics (also at the root)             Prometheus' text format
    GET    /interfaces                             InterfaceList
    PUT    /interfaces/{name}/attachments/{place}  {"mode", "replace"} -> AttachOutcome, 201 when new
    DELETE /interfaces/{name}/attachments/{place}  DetachOutcome
    DELETE /interfaces/{name}/attachments          DetachOutcome; ?hook= and ?direction= narrow it
    DELETE /attachments                            the same on every interface
    GET    /rules                                  RuleList
    POST   /rules                                  a rule, a sentence, {"text"}, or a list of them
    POST   /rules/parse                            {"text", "partial"} -> Parsed; changes nothing
    POST   /rules/delete                           {"ids"} -> DeleteOutcome, one commit
    POST   /rules/enable, /rules/disable           {"ids"} -> RuleOutcome, one commit
    POST   /rules/reset-counters                   {"ids"} or nothing for all -> RuleOutcome
    POST   /rules/flush                            DeleteOutcome
    GET    /rules/{id}                             RuleView
    PUT    /rules/{id}                             replaced; what is not given is gone
    PATCH  /rules/{id}                             changed; null takes a field away
    DELETE /rules/{id}                             DeleteOutcome
    POST   /rules/{id}/move                        {"position"}
    POST   /rules/{id}/reset-counters
    GET    /sets                                   SetList
    POST   /sets                                   {"name"} -> SetOutcome
    GET    /sets/{name}                            SetShown; ?start= and ?limit= choose entries
    PUT    /sets/{name}                            exactly these entries -> SetOutcome
    DELETE /sets/{name}                            DeleteOutcome
    POST   /sets/{name}/entries                    {"add", "remove", "expires"} -> SetChange
    GET    /sets/{name}/test                       ?address= -> SetTest
    GET    /policy                                 Policy
    PUT    /policy?dry_run=BOOL                    the named fields -> PolicyOutcome; the rest stays
    PUT    /switch                                 {"on"} -> SwitchOutcome
    GET    /ruleset                                what `apply` takes back
    PUT    /ruleset                                ?dry_run=true, ?adopt=true -> ApplyOutcome
    GET    /session                                SessionView: who asks, and his role
    POST   /session                                {"code"} -> TokenOutcome; no token
    POST   /page                                   PageCode; by the unix socket only
    GET    /tokens                                 TokenList
    POST   /tokens                                 {"name", "role", "expires", "from"} -> TokenOutcome
    POST   /tokens/revoke                          {"names"} -> TokensRevoked
    DELETE /tokens/{name}                          TokensRevoked
    POST   /tokens/{name}/rotate                   TokenOutcome
    POST   /restore                                ?adopt=true -> RestoreOutcome
    POST   /appeared                               {"interfaces"} -> RestoreOutcome
    POST   /repair                                 -> RepairOutcome

Each route declares the role that it needs (roles.py).

A change of one rule by POST /rules, PUT, PATCH, move or reset-counters answers the RuleView's
fields with `warnings` and `revision` beside them; a change of many answers a RuleOutcome.
Every change takes ?message=TEXT for the history. ETag stands on /ruleset and /rules (the
revision) and on /rules/{id} (the rule without its counters and place); If-Match answers 412
when stale. Errors: errors.py.
"""
