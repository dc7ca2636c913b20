/* SPDX-License-Identifier: GPL-2.0-only */
/* Find the rules that match, in order, up to the first that decides (match.h). */
#ifndef XDPWALL_RULES_H
#define XDPWALL_RULES_H

#include <stddef.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "address.h"
#include "apply_rule.h"
#include "bits.h"
#include "context.h"
#include "flow.h"
#include "packet.h"
#include "row_words.h"
#include "rows.h"
#include "ruleset_shape.h"
#include "walk.h"

/* Segments and words looked at here, before walk_remaining_rules(): packets need 1 to 2 on average
 * (bench/). */
#define FIRST_WORDS 4

/* Is a word all there is, and applied here to the last rule? So no walk need be ready to go on. */
static __always_inline bool is_all(const struct shape s)
{
	return RATED && s.known && is_one_word(s);
}

/* Rules applied here, before walk_remaining_rules(): many packets meet one or two whose rate keeps
 * them from matching. */
static __always_inline int first_rules(const struct shape s)
{
	return !RATED ? 1 : is_all(s) ? 64 : 4;
}

/* Apply the matching rules of `word`, from the lowest bit on, and the rest if none decides. */
static __always_inline int apply_first_rules(const struct shape s, struct xw_ctx *ctx,
					     struct packet *p, struct walk *w, __u64 word)
{
	__u32 rated = 0;
	int decision = -1;

	if (EXPLAINING) { /* nobody waits, and it needs the stack */
		w->rules_left = word;
		return walk_on(s, ctx, p, w);
	}
	/* Twice where the state must be asked for: in a loop, for there is little room for code. */
#pragma clang loop unroll(disable)
	for (int n = 0; n < 1 + WITH_FLOWS; n++) {
		decision = apply_rule(s, w->copy, w->index * 64 + lowest_bit(word), p, NULL);
		if (!WITH_FLOWS || decision != DECISION_ASK_STATE)
			break;
#if ASKING_ONCE
		w->rules_left = word;
		return DECISION_ASK_STATE;
#endif
		decision = -1;
		word = ask_state_first(ctx, p, w, word);
		if (!word)
			break;
	}
	if (decision >= 0 ||
	    (!has_feature(s, XW_COUNTING) && (!WITH_FLOWS || word || is_one_word(s))))
		return decision;
	word &= word - 1;
	for (int n = 1; n < first_rules(s) && word; n++) {
		decision = apply_rule(s, w->copy, w->index * 64 + lowest_bit(word), p, &rated);
		if (WITH_FLOWS && decision == DECISION_ASK_STATE) {
			word = ask_state(ctx, p, w->copy, w->index, word);
			continue;
		}
		/* By a call: the verifier looks at it once, and not for each n. */
		if (RATED && decision == DECISION_LEFT)
			decision = apply_rated_rule(p, rated);
		if (decision >= 0)
			return decision;
		word &= word - 1;
	}
	if (is_all(s) || (RATED && !word && !w->words_left && !w->segments_left))
		return -1;
	w->rules_left = word;
	return walk_on(s, ctx, p, w);
}

/* The verdict of the first rule that decides; -1: none does. */
static __always_inline int classify_by_rules(const struct xw_tables *t, struct xw_ctx *ctx,
					     struct packet *p, __u32 copy, struct walk *there,
					     const struct shape s)
{
	__u32 word_mask = position_count(s) / 64 - 1;
	struct generation g = {
	    .tables = t,
	    .shape = s,
	    .copy = copy,
	};
	struct packet_rows pr = {.shape = s};
	struct walk start = {.copy = copy}, *w = start_walk(&start, there);
	__u32 segment = 0, words_left = 0;
	__u64 word = 0, segments_left;

	if (!w)
		return DECISION_ERROR;
	if (!find_rows(&g, p, w->rows))
		return -1;
	if (!locate_rows(&pr, copy, w->rows))
		return DECISION_ERROR;
	if (is_one_word(s)) {
		word = combined_word(&pr, 0);
		return word ? apply_first_rules(s, ctx, p, w, word) : -1;
	}
	segments_left = candidate_segments(&pr);
	for (int n = 0; n < FIRST_WORDS; n++) {
		if (!words_left) {
			if (!segments_left)
				return -1;
			segment = lowest_bit(segments_left);
			segments_left &= segments_left - 1;
			words_left = candidate_words(&pr, segment);
			if (!words_left)
				continue;
		}
		w->index = segment * words_per_segment(s) + lowest_bit(words_left);
		words_left &= words_left - 1;
		word = combined_word(&pr, w->index & word_mask);
		if (word)
			break;
	}
	w->segment = segment;
	w->words_left = words_left;
	w->segments_left = segments_left;
	return word ? apply_first_rules(s, ctx, p, w, word) : walk_on(s, ctx, p, w);
}

/* Go on from a rule that needs the state. Here once, and not in each of kinds.h. */
static __always_inline int go_on_with_state(struct xw_ctx *ctx, struct packet *p, struct walk *w)
{
	const struct shape s = {};
	__u64 word = ask_state_first(ctx, p, w, w->rules_left);
	int decision = -1;

	if (word)
		decision = apply_rule(s, w->copy, w->index * 64 + lowest_bit(word), p, NULL);
	if (decision >= 0 || (!has_feature(s, XW_COUNTING) && (word || is_one_word(s))))
		return decision;
	w->rules_left = word & (word - 1);
	return walk_on(s, ctx, p, w);
}

#endif
