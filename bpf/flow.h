/* SPDX-License-Identifier: GPL-2.0-only */
/* Flows, as the classifier meets them: what rules with `state` and `keep` add to it.
 *
 *   apply_rule()      a rule with `state` needs the packet's: needs_state()
 *   rules.h, walk.h   ask_state(), once (flow_state.h); rules for other states are left out from
 *                     there on, by the row of the state (struct xw_tables)
 *   decide()          a packet that passes: keep_flow() (flow_track.h)
 *
 * The table is in flow_table.h and flow_write.h, the key in flow_key.h. Only objects compiled with
 * XW_FLOWS_COMPILED have any of it; in the others these functions are constants, so that a ruleset
 * without flows pays nothing.
 */
#ifndef XDPWALL_FLOW_H
#define XDPWALL_FLOW_H

#include <stdbool.h>
#include <linux/types.h>

#include "abi.h"
#include "context.h"
#include "packet.h"
#include "ruleset_shape.h"

/* apply_rule(): the state must be asked for first; the rule was not looked at. */
#define DECISION_ASK_STATE (-3)

#ifdef XW_FLOWS_COMPILED

#include "flow_state.h"
#include "flow_steady.h"
#include "flow_track.h"

__noinline __u64 find_state(struct xw_ctx *ctx, struct packet *p, __u32 copy, __u32 index,
			    __u64 word);
__noinline __u64 find_related(struct xw_ctx *ctx, struct packet *p, __u32 copy, __u32 index,
			      __u64 word);

/* Find the state, and which rules of word `index` are for packets of it (walk.h). */
static __always_inline __u64 ask_state(struct xw_ctx *ctx, struct packet *p, __u32 copy,
				       __u32 index, __u64 word)
{
	word = find_state(ctx, p, copy, index, word);
	if (p->state)
		return word;
	return find_related(ctx, p, copy, index, word);
}

/* Must the state be asked for before this rule is applied? */
static __always_inline bool needs_state(const struct packet *p, __u32 rule)
{
	return rule & XW_RULE_STATE && !p->state;
}

static __always_inline void note_keep(struct packet *p, __u32 rule)
{
	p->keep = rule & XW_RULE_KEEP ? 1 : 0;
}

static __always_inline void note_policy_keep(struct packet *p, __u32 policy)
{
	__u32 bit = is_egress() ? XW_POLICY_KEEP_EGRESS : XW_POLICY_KEEP_INGRESS;

	p->keep = policy & bit ? 1 : 0;
}

static __always_inline void note_state(struct xw_event *e, const struct packet *p)
{
	e->state = p->state;
}

static __always_inline void keep_flow(struct xw_ctx *ctx, struct packet *p, int decision,
				      __u64 control_word)
{
	struct flow_work *w;

	if (decision || !(p->state | p->keep) || p->keep == KEPT)
		return;
	if (!p->state)
		ask_state(ctx, p, control_word & XW_CONTROL_COPY, 0, 0);
	w = this_flow_work();
	if (EXPLAINING || !w)
		return;
	if (w->steady)
		count_steady(p, w);
	else
		track_packet(ctx, p, control_word & XW_CONTROL_COPY);
}

#else

static __always_inline bool needs_state(const struct packet *p, __u32 rule)
{
	return false;
}

static __always_inline void note_keep(struct packet *p, __u32 rule)
{
}

static __always_inline void note_policy_keep(struct packet *p, __u32 policy)
{
}

static __always_inline __u64 ask_state(struct xw_ctx *ctx, struct packet *p, __u32 copy,
				       __u32 index, __u64 word)
{
	return word;
}

static __always_inline void note_state(struct xw_event *e, const struct packet *p)
{
}

static __always_inline void keep_flow(struct xw_ctx *ctx, struct packet *p, int decision,
				      __u64 control_word)
{
}

#endif

#endif
