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

#define MAX_SEGMENTS 64

/* The state of the walk. Rows by number, as pointers cannot be handed to a global function. All
 * that changes from step to step is here and not on the callback's stack: the verifier tracks no
 * values in this memory, so one step looks to it like any other. */
struct walk {
	__u32 rows[GROUPS];
	__u32 copy;
	__u64 rules_left;    /* bits of word `index` */
	__u64 segments_left; /* bits of candidate_segments() */
	__u32 words_left;    /* bits of candidate_words() of `segment` */
	__u32 segment;
	__u32 index;
	__s32 decision;
#if RATED
	__u32 rated; /* the rule with a rate that walk_step() left */
#endif
};

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
		decision = apply_rule(s, NULL, w->copy, w->index * 64 + lowest_bit(bits),
				      context->p, rated_rule(w));
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
		w->rules_left = combined_word(&pr, w->index & word_mask);
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

/* walk_remaining_rules(), and on from a rule that needs the state: the walk has no room on the
 * stack to ask for it. */
static __always_inline int walk_with_state(struct xw_ctx *ctx, struct packet *p, struct walk *w)
{
	int decision = walk_remaining_rules(p, w);

	if (!WITH_FLOWS || decision != DECISION_ASK_STATE)
		return decision;
	ask_state(ctx, p);
	return walk_remaining_rules(p, w);
}

/* Go on from where *w stands, also past rules with a rate. -1: no rule decides. */
static __always_inline int walk_on(const struct shape s, struct xw_ctx *ctx, struct packet *p,
				   struct walk *w)
{
	int decision = walk_with_state(ctx, p, w);

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
