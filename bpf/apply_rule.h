/* SPDX-License-Identifier: GPL-2.0-only */
/* Apply a rule that matches: ask its rate, count the packet, mark it for the log, take the action.
 */
#ifndef XDPWALL_APPLY_RULE_H
#define XDPWALL_APPLY_RULE_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "account.h"
#include "context.h"
#include "cookie.h"
#include "explain.h"
#include "flow.h"
#include "maps.h"
#include "packet.h"
#include "rates.h"
#include "ruleset_shape.h"

static __always_inline bool has_expired(const struct shape s, __u32 copy, __u32 position)
{
	const __u64 *all = bpf_map_lookup_elem(&expiries, &copy);

	return all && bpf_ktime_get_boot_ns() >= all[position & (position_count(s) - 1)];
}

/* Count and mark the packet for a rule that matches. -1: it only counts. */
static __always_inline int take_action(struct packet *p, __u32 rule)
{
	__u32 slot, action;

	note_rule(rule);
	slot = rule & XW_RULE_SLOT;
	count_rule(slot, p);
	if (rule & XW_RULE_LOG && !p->log)
		p->log = slot + 1;
	action = rule >> XW_RULE_ACTION & 3;
	if (action == XW_COUNT)
		return -1;
	p->slot = slot + 1;
	note_keep(p, rule);
	note_cookie(p, rule);
	return action == XW_DROP ? DECISION_DROP : 0;
}

#if RATED

/* Apply a rule with a rate. -1: its rate keeps it from matching, or it only counts. Not inlined,
 * for its stack: walk_step() has none left, and leaves such a rule to its caller. */
__noinline int apply_rated_rule(struct packet *p, __u32 rule)
{
	if (!p)
		return DECISION_ERROR;
	if (rate_matches(p, rule))
		return take_action(p, rule);
	note_rule(rule | XW_ANSWER_LIMITED);
	return -1;
}

/* The same without a call, for what most packets meet: a return costs as much as all the rest where
 * the CPU may not predict it (spec_rstack_overflow). */
static __always_inline int apply_rated_at_once(struct packet *p, __u32 rule)
{
	int matches = EXPLAINING ? -1 : rate_matches_at_once(p, rule);

	if (matches < 0)
		return apply_rated_rule(p, rule);
	return matches ? take_action(p, rule) : -1;
}

#else

static __always_inline int apply_rated_rule(struct packet *p, __u32 rule)
{
	return -1;
}

static __always_inline int apply_rated_at_once(struct packet *p, __u32 rule)
{
	return -1;
}

#endif

/* -1: the rule has expired, or only counts. A rule with a rate is left in `rated`, if that is
 * given. DECISION_ASK_STATE: it has `state`, which is not known yet, and was not applied. */
static __always_inline int apply_rule(const struct shape s, __u32 copy, __u32 position,
				      struct packet *p, __u32 *rated)
{
	const __u32 *all = bpf_map_lookup_elem(&rules, &copy);
	__u32 rule;

	if (!all)
		return DECISION_ERROR;
	rule = all[position & (position_count(s) - 1)];
	if (has_feature(s, XW_EXPIRING) && rule & XW_RULE_EXPIRES &&
	    has_expired(s, copy, position)) {
		note_rule(rule | XW_ANSWER_EXPIRED);
		return -1;
	}
	if (needs_state(p, rule))
		return DECISION_ASK_STATE;
	if (has_rates(s) && rule & (XW_RULE_LIMIT | XW_RULE_OVER)) {
		if (!rated)
			return apply_rated_at_once(p, rule);
		*rated = rule;
		return DECISION_LEFT;
	}
	return take_action(p, rule);
}

#endif
