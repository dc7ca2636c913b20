/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters, one element a CPU. No atomics: softirqs of one CPU do not interrupt each other. */
#ifndef XDPWALL_ACCOUNT_H
#define XDPWALL_ACCOUNT_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "explain.h"
#include "maps.h"
#include "packet.h"

static __always_inline void add_packet(struct xw_count *count, const struct packet *p)
{
	count->packets += p->packets;
	count->bytes += p->bytes;
}

/* Count the packet for a rule that matches it. */
static __always_inline void count_rule(__u32 slot, const struct packet *p)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct xw_count *all;

	if (EXPLAINING)
		return;
	all = bpf_map_lookup_elem(&counters, &cpu);

	if (all)
		add_packet(&all[slot & (XW_SLOTS - 1)], p);
}

/* Count the packet for this attachment, by its verdict. */
static __always_inline void count_packet(const struct packet *p, int decision)
{
	__u32 key = attachment_number(p);
	struct xw_totals *t = bpf_map_lookup_elem(&totals, &key);

	if (!t)
		return;
	if (decision & DECISION_DROP) {
		add_packet(&t->dropped, p);
		if (decision & DECISION_BY_POLICY)
			add_packet(&t->policy_dropped, p);
	} else {
		add_packet(&t->passed, p);
	}
	if (p->malformed)
		add_packet(&t->malformed, p);
	if (decision & DECISION_ERROR)
		add_packet(&t->errors, p);
}

#endif
