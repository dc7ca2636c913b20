/* SPDX-License-Identifier: GPL-2.0-only */
/* The body of both explaining programs: judge the frame as an attached program does, and say how.
 */
#ifndef XDPWALL_ANSWER_H
#define XDPWALL_ANSWER_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi_explain.h"
#include "classify.h"
#include "context.h"
#include "explain.h"
#include "packet.h"

#ifdef XW_EXPLAIN

/* The control word that the frame is judged by: with the copy that was asked for, or as the
 * attachment finds it. */
static __noinline __attribute__((unused)) __u64 asked_control_word(void)
{
	const struct xw_question *q = asked();
	__u64 control_word = control_value(0);

	if (q && q->copy != XW_QUESTION_NOW)
		return q->copy & XW_CONTROL_COPY;
	return settle_control_word(control_word, NULL);
}

/* Not inlined: its stack and that of the classifier do not add up. */
static __noinline __attribute__((unused)) int write_answer(const struct packet *p, int decision,
							   __u64 control_word)
{
	__u32 zero = 0;
	struct xw_answer *a = bpf_map_lookup_elem(&answer, &zero);

	if (!a)
		return 0;
	a->control_word = control_word;
	a->neighbor_discovery = p->neighbor_discovery;
	fill_event(&a->event, p, decision, control_word);
	return 0;
}

/* User space has zeroed `matched`. */
static __always_inline bool explain(struct xw_ctx *ctx)
{
	struct packet p = {.packets = 1, .bytes = frame_length(ctx)};
	__u64 control_word = asked_control_word();
	int decision = 0;

	if (!(control_word & XW_CONTROL_OFF))
		decision = decide(ctx, &p, control_word);
	write_answer(&p, decision, control_word);
	return decision & DECISION_DROP;
}

#endif

#endif
