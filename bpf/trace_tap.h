/* SPDX-License-Identifier: GPL-2.0-only */
/* Drops for `xdpwall trace`. A tracing process puts a ring buffer of its own into a slot of `taps`,
 * with a filter: packets that it did not ask for must not fill the ring, so that one packet can be
 * found in a flood. Unlike events, taps have no rate limit and no sampling.
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

/* Is the address in the prefix wanted/mask? */
static __always_inline bool address_matches(const __u32 *address, const __u32 *wanted,
					    const __u32 *mask)
{
	__u32 differs = 0;

#pragma unroll
	for (int i = 0; i < 4; i++)
		differs |= (address[i] ^ wanted[i]) & mask[i];
	return !differs;
}

/* Does the packet pass the tap's filter? A field that cannot be read passes: user space decides. */
static __always_inline bool tap_wants(const struct xw_tap *t, const struct packet *p)
{
	if (!t->in_use)
		return false;
	if (t->kinds == XW_TAP_ALL)
		return true;
	if (p->kind > XW_KIND_IP6 || !(t->kinds >> p->kind & 1))
		return false;
	if (!p->addresses_hidden && !(address_matches(p->src, t->src, t->src_mask) &&
				      address_matches(p->dst, t->dst, t->dst_mask)))
		return false;
	if (t->proto != XW_TAP_ANY && p->proto != t->proto && p->proto != XW_BYTE_HIDDEN)
		return false;
	return t->dport == XW_TAP_ANY || p->ports != PORTS_READ || p->dport == t->dport;
}

/* Send the record, without frame bytes, to each tap that wants the packet. */
static __always_inline void send_to_taps(const struct packet *p, const struct xw_event *e)
{
	for (__u32 i = 0; i < XW_TAPS; i++) {
		__u32 key = i;
		struct xw_tap *t = bpf_map_lookup_elem(&taps, &key);
		void *ring;

		if (!t || !tap_wants(t, p))
			continue;
		ring = bpf_map_lookup_elem(&tap_rings, &key);
		if (ring && bpf_ringbuf_output(ring, (void *)e, offsetof(struct xw_event, data), 0))
			__sync_fetch_and_add(&t->lost, 1);
	}
}

#endif
