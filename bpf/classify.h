/* SPDX-License-Identifier: GPL-2.0-only */
/* What the XDP and the tc entry have in common: a frame -> what becomes of it. */
#ifndef XDPWALL_CLASSIFY_H
#define XDPWALL_CLASSIFY_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* In the order of a packet's path. */
#include "abi.h"
#include "context.h"
#include "packet.h"
#include "maps.h"
#include "parse.h"
#include "fragment.h"
#include "match.h"
#include "account.h"
#include "events.h"

/* Judges and counts a frame that stands for `packets` of `bytes`; true: drop it. */
static __always_inline bool dropped(struct xw_ctx *ctx, __u32 packets, __u32 bytes)
{
	__u32 zero = 0;
	__u64 *word = bpf_map_lookup_elem(&control, &zero);
	struct packet p = {.packets = packets, .bytes = bytes};
	__u64 control_word;
	int decision;

	if (!word)
		return false;
	control_word = *(volatile __u64 *)word;
	if (control_word & XW_CONTROL_OFF)
		return false;
	if (parse(ctx, &p))
		decision = DECISION_ERROR;
	else if (is_piece(&p) && piece(&p))
		decision = DECISION_ERROR;
	else
		decision = decide(&p, control_word);
	count_packet(&p, decision);
	if (control_word & XW_CONTROL_EVENTS && (p.log || decision & DECISION_DROP))
		report(ctx, &p, decision, control_word);
	return decision & DECISION_DROP;
}

#endif
