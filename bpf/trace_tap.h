/* SPDX-License-Identifier: GPL-2.0-only */
/* Drops, for `xdpwall trace`: each process that traces brings a ring of its own, and leaves its
 * slot when it ends. Neither rate nor sampling, which are for events; what a trace does not want
 * must not fill its ring, so that one packet is found in a flood of others.
 */
#ifndef XDPWALL_TRACE_TAP_H
#define XDPWALL_TRACE_TAP_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, XW_TAPS);
	__type(key, __u32);
	__type(value, struct xw_tap);
} taps SEC(".maps");

struct tap_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, XW_TAPS);
	__type(key, __u32);
	__array(values, struct tap_ring);
} tap_rings SEC(".maps");

static __always_inline bool within(const __u32 *address, const __u32 *wanted, const __u32 *mask)
{
	__u32 differs = 0;

#pragma unroll
	for (int i = 0; i < 4; i++)
		differs |= (address[i] ^ wanted[i]) & mask[i];
	return !differs;
}

/* A field that cannot be read is no reason to leave the packet out: user space judges. */
static __always_inline bool tapped(const struct xw_tap *t, const struct packet *p)
{
	if (!t->in_use)
		return false;
	if (t->kinds == XW_TAP_ALL)
		return true;
	if (p->kind > XW_KIND_IP6 || !(t->kinds >> p->kind & 1))
		return false;
	if (!p->addresses_hidden &&
	    !(within(p->src, t->src, t->src_mask) && within(p->dst, t->dst, t->dst_mask)))
		return false;
	if (t->proto != XW_TAP_ANY && p->proto != t->proto && p->proto != XW_BYTE_HIDDEN)
		return false;
	return t->dport == XW_TAP_ANY || p->ports != PORTS_READ || p->dport == t->dport;
}

static __always_inline void tap(const struct packet *p, const struct xw_event *e)
{
	for (__u32 i = 0; i < XW_TAPS; i++) {
		__u32 key = i;
		struct xw_tap *t = bpf_map_lookup_elem(&taps, &key);
		void *ring;

		if (!t || !tapped(t, p))
			continue;
		ring = bpf_map_lookup_elem(&tap_rings, &key);
		if (ring && bpf_ringbuf_output(ring, (void *)e, offsetof(struct xw_event, data), 0))
			__sync_fetch_and_add(&t->lost, 1);
	}
}

#endif
