/* SPDX-License-Identifier: GPL-2.0-only */
/* The first rule that decides. */
#ifndef XDPWALL_RULES_H
#define XDPWALL_RULES_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "address.h"
#include "bits.h"
#include "judge.h"
#include "packet.h"
#include "row_words.h"
#include "rows.h"
#include "ruleset_shape.h"
#include "walk.h"

/* Words that are looked at before rest() goes on, where few are left (bench: 1 to 2 on average). */
#define FIRST_WORDS 4

/* The first rule of the walk that decides, `word` being the first word with any; -1: none. */
static __always_inline int first_rule(const struct shape s, struct packet *p, struct walk *w,
				      __u64 word)
{
	int decision = judge(s, w->copy, w->index * 64 + lowest(word), p);

	if (decision >= 0 || !with(s, XW_COUNTING))
		return decision;
	w->word = word & (word - 1);
	return rest(p, w);
}

/* -1: no rule decides. */
static __always_inline int by_rules(const struct xw_tables *t, struct packet *p, __u32 copy,
				    const struct shape s)
{
	__u32 word_mask = positions_of(s) / 64 - 1;
	struct levels l = {
	    .t = t,
	    .shape = s,
	    .copy = copy,
	};
	struct found f = {.shape = s};
	struct walk w = {.copy = copy};
	__u32 segment = 0, some = 0;
	__u64 word = 0, left;

	if (!find_rows(&l, p, w.rows))
		return -1;
	if (!point(&f, copy, w.rows))
		return DECISION_ERROR;
	if (one_word(s)) {
		word = words_of(&f, 0);
		return word ? first_rule(s, p, &w, word) : -1;
	}
	left = segments_of(&f);
	for (int n = 0; n < FIRST_WORDS; n++) {
		if (!some) {
			if (!left)
				return -1;
			segment = lowest(left);
			left &= left - 1;
			some = words_in(&f, segment);
			if (!some)
				continue;
		}
		w.index = segment * words_in_segment(s) + lowest(some);
		some &= some - 1;
		word = words_of(&f, w.index & word_mask);
		if (word)
			break;
	}
	w.segment = segment;
	w.some = some;
	w.left = left;
	return word ? first_rule(s, p, &w, word) : rest(p, &w);
}

#endif
