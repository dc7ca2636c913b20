/* SPDX-License-Identifier: GPL-2.0-only */
/* What a packet that passes makes of the flow table: it makes a flow, or changes the one that was
 * found. A packet that is dropped changes nothing. */
#ifndef XDPWALL_FLOW_TRACK_H
#define XDPWALL_FLOW_TRACK_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi_flows.h"
#include "flow_key.h"
#include "flow_state.h"
#include "flow_table.h"
#include "flow_write.h"
#include "packet.h"
#include "read.h"

/* An ACK may be ahead of the SYN-ACK's number by what a first flight holds. */
#define ACK_WINDOW (256 << 10)

/* Which timeout a flow with these flags has. In this order: a connection that was reset, or never
 * came about, is soon forgotten, whatever else it saw. */
static __always_inline __u32 timeout_of(__u32 proto, __u32 flags, bool v4)
{
	const __u32 fins = XW_FLOW_FIN0 | XW_FLOW_FIN1;

	if (proto == IPPROTO_UDP)
		return flags & XW_FLOW_REPLIED ? XW_TIMEOUT_UDP_REPLIED : XW_TIMEOUT_UDP;
	if (proto == (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return XW_TIMEOUT_ICMP;
	if (proto != IPPROTO_TCP)
		return XW_TIMEOUT_OTHER;
	if (flags & XW_FLOW_RESET)
		return XW_TIMEOUT_TCP_RESET;
	if (!(flags & XW_FLOW_ASSURED))
		return flags & XW_FLOW_PICKED_UP ? XW_TIMEOUT_TCP_ONE_SIDE : XW_TIMEOUT_TCP_NEW;
	if ((flags & fins) == fins)
		return XW_TIMEOUT_TCP_FINS;
	return flags & fins ? XW_TIMEOUT_TCP_FIN : XW_TIMEOUT_TCP;
}

static __always_inline __u32 timeout_ticks(__u32 copy, __u32 proto, __u32 flags, bool v4)
{
	const struct xw_timeouts *all = bpf_map_lookup_elem(&flow_timeouts, &copy);
	__u32 which = timeout_of(proto, flags, v4);

	return all && which < XW_TIMEOUTS ? all->ticks[which] : 0;
}

/* One of TCP's numbers: 4 sequence, 8 acknowledgement. False: it cannot be read. */
static __always_inline bool read_number(struct xw_ctx *ctx, const struct packet *p,
					struct flow_work *w, __u32 at, __u32 *number)
{
	const __be32 *found;

	if (!p->l4_off || p->l4_off + at + 4 > p->l4_end)
		return false;
	found = header_pointer(ctx, p->l4_off + at, 4, &w->short_header);
	if (!found)
		return false;
	*number = bpf_ntohl(*found);
	return true;
}

/* The flags of a flow whose handshake is not over, after this packet; it may write rest->number. */
static __always_inline __u32 follow_handshake(struct xw_ctx *ctx, const struct packet *p,
					      struct flow_work *w, struct xw_flow_rest *rest,
					      __u32 flags)
{
	bool reply = w->key.side != (flags & XW_FLOW_ORIGIN);
	__u32 number;

	if (flags & XW_FLOW_PICKED_UP)
		return reply ? flags | XW_FLOW_ASSURED : flags;
	if (!(p->flags & TCP_ACK))
		return flags;
	if (reply) {
		if ((p->flags & (TCP_SYN | TCP_RST | TCP_FIN)) != TCP_SYN ||
		    !read_number(ctx, p, w, 4, &number))
			return flags;
		rest->number = number + 1;
		return flags | XW_FLOW_SYN_ACK;
	}
	if (!(flags & XW_FLOW_SYN_ACK) || !read_number(ctx, p, w, 8, &number) ||
	    number - rest->number > ACK_WINDOW)
		return flags;
	return flags | XW_FLOW_ASSURED;
}

/* The flags that TCP's flags set. */
static __always_inline __u32 follow_end(const struct packet *p, __u32 side, __u32 flags)
{
	if (p->flags & TCP_FIN)
		flags |= side ? XW_FLOW_FIN1 : XW_FLOW_FIN0;
	if (p->flags & TCP_RST)
		return flags | XW_FLOW_RESET;
	return p->flags & TCP_SYN ? flags : flags & ~XW_FLOW_RESET;
}

/* The flow's flags after a packet. */
static __always_inline __u32 flags_after(struct xw_ctx *ctx, const struct packet *p,
					 struct flow_work *w, struct xw_flow_rest *rest,
					 __u32 flags)
{
	if (w->key.side != (flags & XW_FLOW_ORIGIN))
		flags |= XW_FLOW_REPLIED;
	if (p->proto != IPPROTO_TCP || is_later(p))
		return flags;
	if (!(flags & XW_FLOW_ASSURED))
		flags = follow_handshake(ctx, p, w, rest, flags);
	return follow_end(p, w->key.side, flags);
}

/* Exchange a flow's flags. False: another CPU changed them, or the place has another flow. */
static __always_inline bool exchange_flags(struct flow_work *w, struct xw_flow_rest *rest,
					   __u32 flags)
{
	__u64 before = w->ports_meta;
	__u64 after = (before & ~(0xffULL << XW_FLOW_FLAGS)) | (__u64)flags << XW_FLOW_FLAGS;
	__u64 found;

	if (after == before)
		return true;
	found = __sync_val_compare_and_swap(&rest->ports_meta, before, after);
	if (found == before) {
		w->ports_meta = after;
		return true;
	}
	w->ports_meta = found;
	return false;
}

/* A SYN or a SYN-ACK, which may be forged, keeps no assured flow alive that is not over. */
static __always_inline bool may_move(const struct packet *p, __u32 flags)
{
	const __u32 fins = XW_FLOW_FIN0 | XW_FLOW_FIN1;

	if (p->proto != IPPROTO_TCP || is_later(p) || !(flags & XW_FLOW_ASSURED))
		return true;
	if (flags & XW_FLOW_RESET || (flags & fins) == fins)
		return true;
	return (p->flags & (TCP_SYN | TCP_RST | TCP_FIN)) != TCP_SYN;
}

/* Change the flow that was found. */
static __always_inline void change_flow(struct xw_ctx *ctx, const struct packet *p,
					struct flow_work *w, __u32 copy, const bool v4)
{
	struct xw_flow_rest *rest = flow_rest(w->place - 1, v4);
	__u32 flags = 0, before = 0;

	if (!rest)
		return;
	/* Twice: the other direction's CPU may have been quicker. */
	for (int i = 0; i < 2; i++) {
		before = w->ports_meta >> XW_FLOW_FLAGS & 0xff;
		flags = w->over ? before : flags_after(ctx, p, w, rest, before);
		if (exchange_flags(w, rest, flags))
			break;
		if (w->ports_meta >> XW_FLOW_PORT1 != w->key.ports)
			return;
	}
	if (~before & flags & XW_FLOW_ASSURED)
		rest->number = w->now;
	rest->packets += p->packets; /* not atomic, which would cost a third of all this */
	if (may_move(p, flags))
		move_deadline(w, rest, timeout_ticks(copy, p->proto, flags, v4), v4);
}

/* The flags of the flow that this packet makes; -1: it makes none. */
static __always_inline int flags_of_new(const struct packet *p, const struct flow_work *w)
{
	__u32 origin = w->key.side ? XW_FLOW_ORIGIN : 0;

	if (is_later(p))
		return -1;
	if (p->state == XW_STATE_NEW)
		return p->keep ? origin : -1;
	if (p->proto != IPPROTO_TCP)
		return -1;
	if (w->socket == SOCKET_PAST_HANDSHAKE)
		return follow_end(p, w->key.side, origin | XW_FLOW_REPLIED | XW_FLOW_ASSURED);
	if (p->keep && is_egress() && w->socket == SOCKET_NONE &&
	    (p->flags & (TCP_ACK | TCP_SYN | TCP_RST | TCP_FIN)) == TCP_ACK)
		return origin | XW_FLOW_PICKED_UP;
	return -1;
}

static __always_inline void make_or_change(struct xw_ctx *ctx, const struct packet *p,
					   struct flow_work *w, __u32 copy, const bool v4)
{
	struct xw_flow_counts *counts;
	int flags;

	if (w->place && !(w->over && p->keep)) {
		change_flow(ctx, p, w, copy, v4);
		return;
	}
	flags = flags_of_new(p, w);
	if (flags < 0)
		return;
	make_flow(w, p->slot << XW_FLOW_SLOT | flags << XW_FLOW_FLAGS | w->key.proto,
		  timeout_ticks(copy, w->key.proto, flags, v4), p->packets, v4);
	counts = flow_count();
	if (counts && w->socket == SOCKET_PAST_HANDSHAKE)
		counts->by_socket++;
}

/* Does a packet of an established flow change nothing of it but the count of packets? So do nearly
 * all: what else may change is seen at the lookup, whose cache line is there. */
static __always_inline bool is_steady(const struct packet *p, const struct flow_work *w, __u32 copy,
				      const bool v4)
{
	__u32 flags = w->ports_meta >> XW_FLOW_FLAGS & 0xff;

	if (p->state != XW_STATE_ESTABLISHED || !w->place || !(flags & XW_FLOW_REPLIED))
		return false;
	if (p->proto == IPPROTO_TCP && (p->flags & (TCP_SYN | TCP_RST | TCP_FIN) ||
					flags & XW_FLOW_RESET || !(flags & XW_FLOW_ASSURED)))
		return false;
	return w->deadline == w->now + timeout_ticks(copy, p->proto, flags, v4);
}

/* Count a packet that passes and is steady. */
static __always_inline void count_steady(const struct packet *p, const struct flow_work *w)
{
	struct xw_flow_rest *rest =
	    p->kind == XW_KIND_IP4 ? flow_rest(w->place - 1, true) : flow_rest(w->place - 1, false);

	if (rest)
		rest->packets += p->packets;
}

/* A packet passes whose state is known: a rule asked for it, or the rule or the policy by which it
 * passes says `keep`. Global: verified by itself. */
__noinline int track_packet(struct xw_ctx *ctx, struct packet *p, __u32 copy)
{
	struct flow_work *w = this_flow_work();

	if (!ctx || !p || !w)
		return 0;
	if (!w->has_key)
		return 0;
	if (p->kind == XW_KIND_IP4)
		make_or_change(ctx, p, w, copy, true);
	else
		make_or_change(ctx, p, w, copy, false);
	return 0;
}

#endif
