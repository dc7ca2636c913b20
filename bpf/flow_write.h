/* SPDX-License-Identifier: GPL-2.0-only */
/* Make a flow, and move a deadline (flow_table.h). */
#ifndef XDPWALL_FLOW_WRITE_H
#define XDPWALL_FLOW_WRITE_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <bpf/bpf_helpers.h>

#include "abi_flows.h"
#include "flow_key.h"
#include "flow_maps.h"
#include "flow_table.h"

/* Is a place free, or the flow that has it over? One that is claimed is neither. */
static __always_inline bool is_over(__u32 word, __u32 now)
{
	return !word || (word >> 16 != XW_FLOW_CLAIMED && ticks_left(word, now) < 0);
}

/* The place of the bucket that a new flow takes: one that is free or whose flow is over, the
 * nearest to `home`; else that of the flow which would be over first; of those that would be so in
 * the same tick, any (`turn`): were it always the first, the flow that came last under a flood
 * would be the next to go. Ticks and place in one number: of two variables the verifier follows
 * each combination. */
static __always_inline __u32 cheapest_place(const __u32 *words, __u32 now, __u32 home, __u32 turn)
{
	__s32 least = 0x7fffffff;
	__u32 place;

	for (int i = 0; i < XW_FLOW_BUCKET; i++) {
		__u32 held = *(volatile const __u32 *)&words[i];
		__s32 left = (ticks_left(held, now) << 4) + ((i + turn) & (XW_FLOW_BUCKET - 1));

		if (is_over(held, now))
			left = (i ^ home) - XW_FLOW_BUCKET;
		if (held >> 16 != XW_FLOW_CLAIMED && left < least)
			least = left;
	}
	place = least < 0 ? least ^ home : least - turn;
	return place & (XW_FLOW_BUCKET - 1);
}

static __always_inline void count_evicted(struct xw_flow_counts *counts,
					  const struct xw_flow_rest *rest, bool v4)
{
	__u32 proto = rest->ports_meta & 0xff;

	if (proto == IPPROTO_TCP)
		counts->evicted_tcp++;
	else if (proto == IPPROTO_UDP)
		counts->evicted_udp++;
	else if (proto == (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		counts->evicted_icmp++;
	else
		counts->evicted_other++;
}

/* Write a flow of the key in `w`, with these flags, into a place that was claimed. */
static __always_inline void write_flow(const struct flow_work *w, struct xw_flow_rest *rest,
				       __u32 meta, __u32 deadline, __u32 packets)
{
	rest->zone = w->key.zone;
	rest->deadline = deadline;
	rest->number = w->now;
	rest->packets = packets;
	*(volatile __u64 *)&rest->ports_meta = (__u64)w->key.ports << 32 | meta;
}

/* Make a flow for the key in `w`; in the place of the one that was found, if w->place says so. */
static __always_inline void make_flow(struct flow_work *w, __u32 meta, __u32 ticks, __u32 packets,
				      const bool v4)
{
	__u32 *words = flow_words(v4), held = 0, claimed = XW_FLOW_CLAIMED << 16, i;
	struct xw_flow_counts *counts = flow_count();
	__u32 deadline = w->now + ticks;
	__u64 place;
	struct xw_flow_rest *rest;
	struct xw_flow4 *four = v4 ? all_flows4() : NULL;
	struct xw_flow6 *six = v4 ? NULL : all_flows6();

	if (!words || !counts || (v4 ? !four : !six))
		return;
	if (w->place) {
		place = bounded_place(w->place - 1);
		held = *(volatile __u32 *)&words[place];
		if (held >> 16 != w->key.tag) {
			counts->lost++;
			return;
		}
	} else {
		place = bounded_place(first_place(&w->key) + home_of(&w->key));
		held = *(volatile __u32 *)&words[place];
		if (!is_over(held, w->now)) { /* as few are */
			i = cheapest_place(words + first_place(&w->key), w->now, home_of(&w->key),
					   w->key.tag);
			place = bounded_place(first_place(&w->key) + i);
			held = *(volatile __u32 *)&words[place];
		}
	}
	if (held >> 16 == XW_FLOW_CLAIMED ||
	    __sync_val_compare_and_swap(&words[place], held, claimed) != held) {
		counts->lost++;
		return;
	}
	if (v4) {
		rest = &four[place].rest;
	} else {
		rest = &six[place].rest;
	}
	/* The word's 16 bits may have wrapped: the flow knows. */
	if (held && !w->place && ticks_left(held, w->now) >= 0 &&
	    (__s32)(rest->deadline - w->now) >= 0)
		count_evicted(counts, rest, v4);
	if (v4) {
		four[place].addresses = w->key.addresses[0];
	} else {
		six[place].addresses[0] = w->key.addresses[0];
		six[place].addresses[1] = w->key.addresses[1];
		six[place].addresses[2] = w->key.addresses[2];
		six[place].addresses[3] = w->key.addresses[3];
	}
	write_flow(w, rest, meta, deadline, packets);
	__sync_lock_test_and_set(&words[place], w->key.tag << 16 | (deadline & 0xffff));
	counts->made++;
}

/* Move the deadline of the flow that was found to now + ticks. Once a tick there is something to
 * do. */
static __always_inline void move_deadline(struct flow_work *w, struct xw_flow_rest *rest,
					  __u32 ticks, const bool v4)
{
	__u32 deadline = w->now + ticks, *words, held;
	__u64 place;

	if (rest->deadline == deadline)
		return;
	words = flow_words(v4);
	if (!words)
		return;
	place = bounded_place(w->place - 1);
	held = *(volatile __u32 *)&words[place];
	if (held >> 16 != w->key.tag)
		return;
	if (__sync_val_compare_and_swap(&words[place], held,
					w->key.tag << 16 | (deadline & 0xffff)) == held)
		rest->deadline = deadline;
}

#endif
