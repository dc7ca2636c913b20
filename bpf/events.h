/* SPDX-License-Identifier: GPL-2.0-only */
/* Packet events: a record in the ring buffer for drops and for rules with XW_RULE_LOG.
 *
 * Each packet to report is counted as exactly one of sent, lost (the ring was full), sampled (left
 * out by chance) and limited (over the rule's rate in this second).
 */
#ifndef XDPWALL_EVENTS_H
#define XDPWALL_EVENTS_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "context.h"
#include "event_maps.h"
#include "explain.h"
#include "flow.h"
#include "maps.h"
#include "packet.h"
#include "trace_tap.h"

/* Is the rule over its rate? In jiffies: reading a clock costs more than all else of a drop. */
static __always_inline bool over_rate_limit(const struct packet *p,
					    const struct xw_event_settings *s)
{
	__u32 rule = p->log ? p->log : p->slot, now = bpf_jiffies64();
	__u32 key = rule ? (rule - 1) % XW_EVENT_LIMITS : XW_EVENT_LIMITS;
	struct xw_event_limit *l = bpf_map_lookup_elem(&event_limits, &key);

	if (!l)
		return true;
	if (now - l->start >= s->second) {
		l->start = now;
		l->sent = 0;
	}
	if (l->sent >= s->rate) {
		l->limited += p->packets;
		return true;
	}
	l->sent++;
	return false;
}

/* Fill in all but `captured` and `data`. */
static __always_inline void fill_event(struct xw_event *e, const struct packet *p, int decision,
				       __u64 control_word)
{
	e->time = bpf_ktime_get_boot_ns();
	e->revision = control_word >> XW_CONTROL_REVISION_SHIFT;
	e->number = attachment_number(p);
	e->slot = p->slot;
	e->log = p->log;
	e->packets = p->packets;
	e->bytes = p->bytes;
	e->length = p->length;
	e->icmp = p->icmp;
	__builtin_memcpy(e->src, p->src, sizeof(e->src));
	__builtin_memcpy(e->dst, p->dst, sizeof(e->dst));
	e->sport = p->sport;
	e->dport = p->dport;
	e->proto = p->proto;
	e->flags = p->flags;
	e->ttl = p->ttl;
	e->vlan = p->vlan;
	e->ethertype = p->ethertype;
	e->kind = p->kind;
	e->fragment = p->fragment;
	e->ports = p->ports;
	e->addresses_hidden = p->addresses_hidden;
	e->malformed = p->malformed;
	e->decision = decision;
	note_state(e, p);
}

/* Copy the frame's first `wanted` bytes into the record; returns how many. At least the Ethernet
 * header, as struct packet has no MAC addresses. */
static __always_inline __u32 copy_frame_start(struct xw_ctx *ctx, struct xw_event *e, __u32 wanted)
{
	__u32 n = wanted < ETH_HLEN ? ETH_HLEN : wanted;

	if (n > e->bytes)
		n = e->bytes;
	/* Without the barriers clang 14 drops the upper bound, or folds both into one comparison
	 * from which Linux 6.1's verifier learns neither. No frame is shorter than its header. */
	asm volatile("" : "+r"(n));
	if (n < ETH_HLEN)
		return 0;
	asm volatile("" : "+r"(n));
	if (n > XW_EVENT_BYTES)
		return 0;
	return copy_bytes(ctx, e->data, n) ? 0 : n;
}

/* Report a drop to `xdpwall trace`. Not inlined: off the path of other packets. */
static __noinline int report_to_taps(const struct packet *p, int decision, __u64 control_word)
{
	__u32 zero = 0;
	struct xw_event *e = bpf_map_lookup_elem(&event_scratch, &zero);

	if (!e)
		return 0;
	fill_event(e, p, decision, control_word);
	e->captured = 0;
	send_to_taps(p, e);
	return 0;
}

/* Write the record, or count the packet as sampled if it was not `chosen`. Not inlined: off the
 * path of packets over the rate. */
static __noinline int emit_event(struct xw_ctx *ctx, const struct packet *p, int decision,
				 __u64 control_word, bool chosen)
{
	__u32 zero = 0, n;
	const struct xw_event_settings *s = bpf_map_lookup_elem(&event_settings, &zero);
	struct xw_event_counts *counts = bpf_map_lookup_elem(&event_counts, &zero);
	struct xw_event *e = bpf_map_lookup_elem(&event_scratch, &zero);

	if (!s || !counts || !e)
		return 0;
	if (!chosen) {
		counts->sampled += p->packets;
		return 0;
	}
	fill_event(e, p, decision, control_word);
	n = copy_frame_start(ctx, e, s->bytes);
	e->captured = n;
	asm volatile("" : "+r"(n));
	if (n > XW_EVENT_BYTES)
		return 0;
	if (bpf_ringbuf_output(&events, e, offsetof(struct xw_event, data) + n, 0))
		counts->lost += p->packets;
	else
		counts->sent += p->packets;
	return 0;
}

/* Report the packet where the settings ask for it. Inlined: a flood over its rate pays just this,
 * and a call would cost more than the lookups. */
static __always_inline void report_event(struct xw_ctx *ctx, const struct packet *p, int decision,
					 __u64 control_word)
{
	__u32 zero = 0;
	const struct xw_event_settings *s = bpf_map_lookup_elem(&event_settings, &zero);
	bool chosen;

	if (!s)
		return;
	if (s->tapped && decision & DECISION_DROP)
		report_to_taps(p, decision, control_word);
	if (!s->enabled || (!p->log && !s->log_drops))
		return;
	chosen = s->chance == ~0U || bpf_get_prandom_u32() <= s->chance;
	if (chosen && over_rate_limit(p, s))
		return;
	emit_event(ctx, p, decision, control_word, chosen);
}

#endif
