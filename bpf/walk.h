/* SPDX-License-Identifier: GPL-2.0-only */
/* Walk the matching rules behind the first one: that only counted, had expired, or was not found
 * among the first words (rules.h). */
#ifndef XDPWALL_WALK_H
#define XDPWALL_WALK_H

#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "apply_rule.h"
#include "bits.h"
#include "context.h"
#include "flow.h"
#include "maps.h"
#include "packet.h"
#include "row_words.h"
#include "rows.h"
#include "ruleset_shape.h"
#include "walk_memory.h"

#define MAX_SEGMENTS 64

/* The rules of a word that are for packets of this state, if that is known. */
static __always_inline __u64 word_for_state(const struct packet_rows *pr, const struct walk *w,
					    __u32 i, __u64 word)
{
#if WITH_FLOWS
	return word & state_word(pr, w->state_row, i);
#else
	return word;
#endif
}

/* Where walk_step() leaves a rule with a rate. */
static __always_inline __u32 *rated_rule(struct walk *w)
{
#if RATED
	return &w->rated;
#else
	return NULL;
#endif
}

struct walk_context {
	struct packet *p;
	struct walk *w;
};

/* bpf_loop() callback: take one rule, else one word, else one segment. 1 ends the loop. */
static long walk_step(__u32 n, struct walk_context *context)
{
	const struct shape s = {};
	__u32 word_mask = position_count(s) / 64 - 1;
	struct walk *w = context->w;
	struct packet_rows pr = {.shape = s};
	__u64 bits;
	int decision;

	bits = w->rules_left;
	if (bits) {
		w->rules_left = bits & (bits - 1);
		decision = apply_rule(s, w->copy, w->index * 64 + lowest_bit(bits), context->p,
				      rated_rule(w));
		w->decision = decision;
		if (WITH_FLOWS && decision == DECISION_ASK_STATE) {
			w->rules_left = bits;
			return 1;
		}
		return decision >= 0 || (RATED && decision == DECISION_LEFT);
	}
	if (!locate_rows(&pr, w->copy, w->rows))
		return 1;
	bits = w->words_left;
	if (bits) {
		w->words_left = bits & (bits - 1);
		w->index = w->segment * segment_words + lowest_bit(bits);
		bits = combined_word(&pr, w->index & word_mask);
		w->rules_left = word_for_state(&pr, w, w->index & word_mask, bits);
		return 0;
	}
	bits = w->segments_left;
	if (!bits)
		return 1;
	w->segments_left = bits & (bits - 1);
	w->segment = lowest_bit(bits);
	w->words_left = candidate_words(&pr, w->segment);
	return 0;
}

/* Go on from where *w stands; -1: no rule decides; DECISION_LEFT: at a rule with a rate;
 * DECISION_ASK_STATE: at one that needs the state, from which it goes on. Thousands
 * of rules may be left, so the loop is bpf_loop() (Linux 5.17), whose body is verified once. Its
 * call costs little beside the map lookups of a step. */
__noinline int walk_remaining_rules(struct packet *p, struct walk *w)
{
	struct walk_context context = {.p = p, .w = w};

	if (!p || !w)
		return DECISION_ERROR;
	w->decision = -1;
	bpf_loop(positions + positions / 64 + MAX_SEGMENTS, walk_step, &context, 0);
	return w->decision;
}

#if WITH_FLOWS

/* The row of the packet's state, in `pr` too. False: a map lookup failed. */
static __always_inline bool locate_state_row(struct packet_rows *pr, const struct packet *p,
					     __u32 copy, __u32 *row_number)
{
	const struct xw_tables *t = bpf_map_lookup_elem(&tables, &copy);

	if (!t || !locate_all_rows(pr, copy))
		return false;
	*row_number = t->state[p->state & (XW_STATES - 1)];
	return true;
}

/* The rules of word `index` that are for packets of this state. */
static __always_inline __u64 narrowed_word(const struct packet *p, __u32 copy, __u32 index,
					   __u64 word)
{
	const struct shape s = {};
	struct packet_rows pr = {.shape = s};
	__u32 row;

	if (!word || !locate_state_row(&pr, p, copy, &row))
		return 0;
	return word & state_word(&pr, row, index & (position_count(s) / 64 - 1));
}

/* Write p->state, or 0 where find_related() is to be called. The rules of word `index`, none of
 * which may be given, that are for packets of this state. All in one function, since each return
 * costs some 10 ns where the CPU may not predict it (spec_rstack_overflow). */
__noinline __u64 find_state(struct xw_ctx *ctx, struct packet *p, __u32 copy, __u32 index,
			    __u64 word)
{
	struct flow_work *w = this_flow_work();

	if (!ctx || !p || !w)
		return 0;
	w->steady = 0;
	note_state_of(ctx, p, w);
	if (!p->state)
		return word;
	w->steady =
	    p->kind == XW_KIND_IP4 ? is_steady(p, w, copy, true) : is_steady(p, w, copy, false);
	return narrowed_word(p, copy, index, word);
}

/* The same of an ICMP error, whose state find_state() leaves open. A function of its own, so that
 * the stacks of both do not add up. */
__noinline __u64 find_related(struct xw_ctx *ctx, struct packet *p, __u32 copy, __u32 index,
			      __u64 word)
{
	struct flow_work *w = this_flow_work();

	if (!ctx || !p || !w)
		return 0;
	note_related(ctx, p, w);
	return narrowed_word(p, copy, index, word);
}

/* ask_state(), for the first rule that needs it: of a steady packet without a call. */
static __always_inline __u64 ask_state_first(struct xw_ctx *ctx, struct packet *p, struct walk *w,
					     __u64 word)
{
	if (find_steady(p, w->copy, &w->flow))
		return narrowed_word(p, w->copy, w->index, word);
	return ask_state(ctx, p, w->copy, w->index, word);
}

/* Leave out what is not for packets of this state, if it is known by now. */
__noinline int narrow_walk(struct packet *p, struct walk *w)
{
	const struct shape s = {};
	struct packet_rows pr = {.shape = s};
	__u32 row;

	if (!p || !w || !locate_state_row(&pr, p, w->copy, &row))
		return 0;
	w->state_row = row;
	w->rules_left &= state_word(&pr, row, w->index & (position_count(s) / 64 - 1));
	if (!is_one_word(s))
		w->segments_left &= state_segments(&pr, row);
	return 0;
}

/* walk_remaining_rules(), and on from a rule that needs the state: the walk has no room on the
 * stack to ask for it. */
static __always_inline int walk_with_state(struct xw_ctx *ctx, struct packet *p, struct walk *w)
{
	int decision = walk_remaining_rules(p, w);

	if (decision != DECISION_ASK_STATE)
		return decision;
	ask_state(ctx, p, w->copy, 0, 0);
	narrow_walk(p, w);
	return walk_remaining_rules(p, w);
}

#else

static __always_inline __u64 ask_state_first(struct xw_ctx *ctx, struct packet *p, struct walk *w,
					     __u64 word)
{
	return word;
}

static __always_inline int narrow_walk(struct packet *p, struct walk *w)
{
	return 0;
}

static __always_inline int walk_with_state(struct xw_ctx *ctx, struct packet *p, struct walk *w)
{
	return walk_remaining_rules(p, w);
}

#endif

/* Go on from where *w stands, also past rules with a rate. -1: no rule decides. */
static __always_inline int walk_on(const struct shape s, struct xw_ctx *ctx, struct packet *p,
				   struct walk *w)
{
	int decision;

	narrow_walk(p, w);
	decision = walk_with_state(ctx, p, w);
	if (!has_rates(s))
		return decision;
	for (int n = 0; n < XW_RATED_RULES && decision == DECISION_LEFT; n++) {
		decision = apply_rated_rule(p, *rated_rule(w));
		if (decision < 0)
			decision = walk_with_state(ctx, p, w);
	}
	return decision;
}

#endif
