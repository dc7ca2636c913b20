/* SPDX-License-Identifier: GPL-2.0-only */
/* Match a packet against the ruleset: aggregated bit vectors (Baboescu and Varghese, "Scalable
 * Packet Classification", SIGCOMM 2001).
 *
 * Every rule has a position, which is a bit; lower bits come first. For each group of fields (enum
 * group) a table turns the packet's values into the number of a row: the vector of the rules that
 * these values satisfy. The AND of one row of each group is the vector of the rules that match:
 *
 *     position  rule                            TCP 198.51.100.1 -> port 22      bits 3210
 *     0         drop tcp/22 from 192.0.2.0/24   G_PROTOCOL  proto4[6]                 0111
 *     1         count tcp                       G_DPORT     dport[22]                 1111
 *     2         accept tcp/22                   G_SRC       src4[0xc633]              1110
 *     3         drop udp                        AND                                   0110
 *
 * Rule 1 counts the packet and goes on, rule 2 accepts it.
 *
 * A vector consists of words of 64 bits. If it has more than one, a row begins with summaries; the
 * AND of the summaries leads to the few words that are worth an AND. From 2,048 positions on a row
 * is a struct xw_row, two cache lines:
 *
 *     segments[4]     bit s of number p: segment s (1 or 4 words) has a rule of pattern p
 *     aggregates[4]   bit i: word i is not zero
 *     which[6]        the words in which the row differs from ...
 *     whole           ... this row of the map `whole_rows`, which has all words
 *     patch[6]        their values
 *
 * Who calls whom:
 *
 *     should_drop                         classify.h     once for each frame
 *         parse_frame                     parse.h        with parse_ip.h, read.h, context.h
 *         resolve_fragment                fragment.h
 *         classify_packet                 match.h        the rules, then the policy
 *             classify_known_shape        kinds.h        picks the code compiled for the ruleset
 *                 classify_by_rules       rules.h
 *                     find_rows           rows.h         row numbers, with address.h and sets.h
 *                     locate_rows         row_words.h    pointers to the rows
 *                     candidate_segments  row_words.h    AND of the summaries
 *                     candidate_words     row_words.h    the same, within a segment
 *                     combined_word       row_words.h    AND of the rows' words
 *                     apply_rule          apply_rule.h   expiry, rate, counter, log mark, action
 *                         apply_rated_rule               of a rule with a rate; rates.h, gcra.h
 *                     walk_remaining_rules  walk.h       bpf_loop() if a rule does not decide
 *             go_on_with_state            rules.h        once, if a rule with `state` is reached
 *                 find_steady             flow_steady.h  of most packets that have a flow
 *                 ask_state               flow.h         of all others, with flow_state.h
 *             classify_by_policy          match.h
 *         keep_flow                       flow.h         with flow_steady.h or flow_track.h
 *         count_packet                    account.h
 *         report_event                    events.h       with trace_tap.h
 *
 * explain() in answer.h stands in the place of should_drop in programs that are run for an answer,
 * and never attached (explain.h).
 *
 * Constraints:
 * - A call chain has 512 bytes of stack, each frame rounded up to 32. With all features should_drop
 *   and what is inlined into it take 384, walk_remaining_rules 32 and walk_step 96: none is left;
 *   nor beside the 128 of apply_rated_rule, which the walk leaves to its caller.
 *   Hence row numbers (u32) and not pointers in struct walk. With flows that is in a map, and
 *   should_drop takes 320, find_state and track_packet 128; with rates, too, should_drop 128,
 *   classify_packet 224 and what it calls 128.
 * - The verifier wants a bound on every index: it is masked where it is used, by a mask in .rodata.
 * - The arguments of a global function are plain memory to the verifier: no pointer survives there.
 * - A jump reaches 32,767 instructions, and kinds.h inlines the classifier many times over.
 * - Linux 6.1 is the oldest kernel; a workaround for its verifier says so where it stands.
 *
 * Maps with two elements hold a generation in each. `copy`, from the control word that a packet
 * reads once, is the index of the one in force, so that a packet never sees a mixture.
 */
#ifndef XDPWALL_MATCH_H
#define XDPWALL_MATCH_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "context.h"
#include "explain.h"
#include "flow.h"
#include "kinds.h"
#include "maps.h"
#include "packet.h"

/* Apply the policy of this direction, or that for frames without IP. IPv6 neighbor discovery and
 * multicast listener discovery pass unless the policy includes them. */
static __always_inline int classify_by_policy(const struct xw_tables *t, struct packet *p)
{
	__u32 bit = is_egress() ? XW_POLICY_DROP_EGRESS : XW_POLICY_DROP_INGRESS;

	if (p->kind == XW_KIND_ETHER || p->kind == XW_KIND_LLC)
		bit = XW_POLICY_DROP_NON_IP;
	if (!(t->policy & bit)) {
		note_policy_keep(p, t->policy);
		return 0;
	}
	if (p->neighbor_discovery && !(t->policy & XW_POLICY_DROP_ND))
		return 0;
	return DECISION_DROP | DECISION_BY_POLICY;
}

/* The verdict of the first rule that decides, else of the policy. */
#if GLOBAL_CLASSIFIER
__noinline
#else
static __always_inline
#endif
    int
    classify_packet(struct xw_ctx *ctx, struct packet *p, __u64 control_word)
{
	__u32 copy = control_word & XW_CONTROL_COPY;
	const struct xw_tables *t = bpf_map_lookup_elem(&tables, &copy);
	struct walk *walk = this_walk();
	int decision = -1;

	if (!t || (GLOBAL_CLASSIFIER && (!ctx || !p)))
		return DECISION_ERROR;
	if (features & XW_RULES) {
		decision = classify_known_shape(t, ctx, p, copy, walk);
		if (ASKING_ONCE && walk && decision == DECISION_ASK_STATE)
			decision = go_on_with_state(ctx, p, walk);
	}
	if (decision < 0)
		decision = classify_by_policy(t, p);
	keep_steady(p, decision, walk, copy);
	return decision;
}

#endif
