/* SPDX-License-Identifier: GPL-2.0-only */
/* The body of both programs: parse the frame, match the ruleset, count, report. */
#ifndef XDPWALL_CLASSIFY_H
#define XDPWALL_CLASSIFY_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* In the order in which a packet meets them, which is also the functions' order in the object. */
#include "abi.h"
#include "context.h"
#include "packet.h"
#include "maps.h"
#include "parse.h"
#include "fragment.h"
#include "match.h"
#include "account.h"
#include "events.h"

/* Does every packet of this attachment pass? A function of its own, for the stack of its key. */
static __noinline bool is_muted(void)
{
	__u32 key = XW_CONTROL_MUTES + number;
	__u64 *program_id = bpf_map_lookup_elem(&control, &key);

	return program_id && *(volatile __u64 *)program_id;
}

/* Classify, count and report a frame of `bytes`, which stands for `packets` (GSO segments).
 * Fails open: without the control map every frame passes. */
static __always_inline bool should_drop(struct xw_ctx *ctx, __u32 packets, __u32 bytes)
{
	__u32 zero = 0;
	__u64 *word = bpf_map_lookup_elem(&control, &zero);
	struct packet p = {.packets = packets, .bytes = bytes};
	__u64 control_word;
	int decision;

	if (!word)
		return false;
	control_word = *(volatile __u64 *)word;
	if (control_word & (XW_CONTROL_OFF | XW_CONTROL_MUTED) &&
	    (control_word & XW_CONTROL_OFF || is_muted()))
		return false;
	if (parse_frame(ctx, &p))
		decision = DECISION_ERROR;
	else if (is_fragment(&p) && resolve_fragment(&p))
		decision = DECISION_ERROR;
	else
		decision = classify_packet(&p, control_word);
	count_packet(&p, decision);
	if (control_word & XW_CONTROL_EVENTS && (p.log || decision & DECISION_DROP))
		report_event(ctx, &p, decision, control_word);
	return decision & DECISION_DROP;
}

#endif
