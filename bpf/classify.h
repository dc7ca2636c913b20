/* SPDX-License-Identifier: GPL-2.0-only */
/* The body of both programs: parse the frame, match the ruleset, count, report. */
#ifndef XDPWALL_CLASSIFY_H
#define XDPWALL_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* In the order in which a packet meets them, which is also the functions' order in the object. */
#include "abi.h"
#include "context.h"
#include "cookie.h"
#include "packet.h"
#include "maps.h"
#include "explain.h"
#include "rate_maps.h"
#include "parse.h"
#include "fragment.h"
#include "flow.h"
#include "match.h"
#include "account.h"
#include "events.h"

/* A word of the map `control`; 0 if there is none. */
static __always_inline __u64 control_value(__u32 key)
{
	__u64 *value = bpf_map_lookup_elem(&control, &key);

	return value ? *(volatile __u64 *)value : 0;
}

/* The control word as it is for this attachment at this moment: XW_CONTROL_OFF where all its
 * packets pass, and the copy that is in force while a change is pending. A function of its own, for
 * the stack of its keys, and since packets rarely come here. */
static __noinline __u64 settle_control_word(__u64 control_word, const struct packet *p)
{
	__u32 own = attachment_number(p);
	__u32 passing = XW_CONTROL_PASSING;

	if (control_word & XW_CONTROL_OFF)
		return control_word;
	if (control_word & XW_CONTROL_MUTED && control_value(XW_CONTROL_MUTES + own))
		return control_word | XW_CONTROL_OFF;
	if (!(control_word & XW_CONTROL_PENDING))
		return control_word;
	if (bpf_jiffies64() >=
	    control_value(XW_CONTROL_DEADLINES + (control_word & XW_CONTROL_COPY))) {
		control_word -= 1ULL << XW_CONTROL_REVISION_SHIFT;
		control_word &= ~XW_CONTROL_COPY;
		if (control_word & XW_CONTROL_FALLBACK)
			control_word |= XW_CONTROL_COPY;
	}
	if (control_word & XW_CONTROL_COPY)
		passing += XW_NUMBER_WORDS;
	if (control_value(passing + own / 64) >> (own & 63) & 1)
		control_word |= XW_CONTROL_OFF;
	return control_word;
}

#ifdef XW_SHARED_PROGRAM
/* The attachment's number, where the program is shared. */
static __always_inline __u32 listed_number(struct xw_ctx *ctx)
{
	__u32 key = interface_index(ctx) << 2 | hook_place();
	__u32 *found = bpf_map_lookup_elem(&numbers, &key);

	return found ? *found : XW_UNLISTED + egress;
}
#endif

/* The verdict on a frame, with its fields in `p`. */
static __always_inline int decide(struct xw_ctx *ctx, struct packet *p, __u64 control_word)
{
	int decision;

	if (parse_frame(ctx, p))
		return DECISION_ERROR;
	if (is_fragment(p) && resolve_fragment(p))
		return DECISION_ERROR;
	decision = classify_packet(ctx, p, control_word);
	decision = decide_answer(ctx, p, decision);
	keep_flow(ctx, p, decision, control_word);
	return decision;
}

/* Classify, count and report a frame of `bytes`, which stands for `packets` (GSO segments), and
 * answer a SYN: *answered, in programs that do. True: drop it. Fails open: without the control map
 * every frame passes. */
static __always_inline bool classify_frame(struct xw_ctx *ctx, __u32 packets, __u32 bytes,
					   bool *answered)
{
	__u32 zero = 0;
	__u64 *word = bpf_map_lookup_elem(&control, &zero);
	struct packet p = {.packets = packets, .bytes = bytes};
	__u64 control_word;
	int decision;

	if (!word)
		return false;
#ifdef XW_SHARED_PROGRAM
	p.number = listed_number(ctx);
#endif
	control_word = *(volatile __u64 *)word;
	if (control_word & (XW_CONTROL_OFF | XW_CONTROL_MUTED | XW_CONTROL_PENDING)) {
		control_word = settle_control_word(control_word, &p);
		if (control_word & XW_CONTROL_OFF)
			return false;
	}
	decision = decide(ctx, &p, control_word);
	count_packet(&p, decision);
	if (control_word & XW_CONTROL_EVENTS && (p.log || decision & DECISION_DROP))
		report_event(ctx, &p, decision, control_word);
	if (WITH_COOKIES && decision & DECISION_ANSWERED)
		*answered = finish_answer(ctx, &p);
	return decision & DECISION_DROP;
}

/* classify_frame() of programs that answer no SYN. */
static __always_inline bool should_drop(struct xw_ctx *ctx, __u32 packets, __u32 bytes)
{
	return classify_frame(ctx, packets, bytes, NULL);
}

#endif
