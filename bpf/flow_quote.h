/* SPDX-License-Identifier: GPL-2.0-only */
/* Read the packet that an ICMP error quotes, and find its flow: `related`. */
#ifndef XDPWALL_FLOW_QUOTE_H
#define XDPWALL_FLOW_QUOTE_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "context.h"
#include "flow_key.h"
#include "flow_table.h"
#include "packet.h"
#include "parse_ip.h"
#include "read.h"

/* linux/icmp.h needs files of the C library for another machine than bpf. */
#define ICMP_ECHOREPLY	   0
#define ICMP_DEST_UNREACH  3
#define ICMP_SOURCE_QUENCH 4
#define ICMP_REDIRECT	   5
#define ICMP_ECHO	   8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETERPROB 12

/* Bytes behind the quoted header that every protocol needs. All errors have as many in front. */
#define QUOTED_BYTES 8

/* `n` bytes of the quoted packet at the current place, or NULL. */
static __always_inline void *quoted(struct xw_ctx *ctx, const struct quote *q, const __u32 n,
				    void *buf)
{
	return q->off + n <= q->limit ? header_pointer(ctx, q->off, n, buf) : NULL;
}

/* Step over one extension header of the quoted packet. False: it cannot be read, or the packet is
 * a later fragment. Global, as parse_extension(). */
__noinline int step_over_quoted(struct xw_ctx *ctx, struct flow_work *w)
{
	__u8 *h;
	__u32 size;

	if (!ctx || !w)
		return false;
	h = quoted(ctx, &w->quote, 8, &w->short_header);
	if (!h)
		return false;
	size = (h[1] + 1) * 8;
	if (w->quote.next == IPPROTO_FRAGMENT) {
		if (bpf_ntohs(*(__be16 *)(h + 2)) >> 3)
			return false;
		size = 8;
	} else if (w->quote.next == IPPROTO_AH) {
		size = (h[1] + 2) * 4;
	}
	w->quote.next = h[0];
	w->quote.off += size;
	return true;
}

/* Fill in the endpoints' ports, from the bytes behind the quoted header. False: it is no packet of
 * a flow, or not to be read. */
static __always_inline bool quoted_ports(struct xw_ctx *ctx, struct flow_work *w,
					 struct endpoints *e, const bool v4)
{
	const __be16 *l4 = quoted(ctx, &w->quote, QUOTED_BYTES, &w->short_header);
	__u8 type;

	if (!l4)
		return false;
	w->key.proto = w->quote.next;
	if (w->key.proto == IPPROTO_TCP || w->key.proto == IPPROTO_UDP ||
	    w->key.proto == IPPROTO_SCTP) {
		e->sport = bpf_ntohs(l4[0]);
		e->dport = bpf_ntohs(l4[1]);
		return true;
	}
	if (w->key.proto != (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return !v4 || w->key.proto != IPPROTO_IGMP;
	type = bpf_ntohs(l4[0]) >> 8;
	e->echo = true;
	if (type == (v4 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST)) {
		e->sport = bpf_ntohs(l4[2]);
		return true;
	}
	e->asker = 1;
	e->dport = bpf_ntohs(l4[2]);
	return type == (v4 ? ICMP_ECHOREPLY : ICMPV6_ECHO_REPLY);
}

static __always_inline bool find_quoted4(struct xw_ctx *ctx, const struct packet *p,
					 struct flow_work *w)
{
	struct iphdr *ip = quoted(ctx, &w->quote, sizeof(*ip), w->header);
	struct endpoints e = {};
	__u32 src, dst;

	if (!ip || ip->version != 4 || ip->ihl < 5 || bpf_ntohs(ip->frag_off) & 0x1fff)
		return false;
	src = ip->saddr;
	dst = ip->daddr;
	if (src != p->dst[0])
		return false;
	w->quote.off += ip->ihl * 4;
	w->quote.next = ip->protocol;
	if (!quoted_ports(ctx, w, &e, true))
		return false;
	e.src = &src;
	e.dst = &dst;
	if (!write_key(ctx, p, &w->key, &e))
		return false;
	find_flow(w, true);
	return w->place;
}

static __always_inline bool find_quoted6(struct xw_ctx *ctx, const struct packet *p,
					 struct flow_work *w)
{
	struct ipv6hdr *ip = quoted(ctx, &w->quote, sizeof(*ip), w->header);
	const __u64 *from, *error_to = (const __u64 *)p->dst;
	struct endpoints e = {};

	if (!ip || ip->version != 6)
		return false;
	if (ip != (void *)w->header)
		__builtin_memcpy(w->header, __builtin_assume_aligned(ip, 8), sizeof(*ip));
	from = w->header + 1;
	if (from[0] != error_to[0] || from[1] != error_to[1])
		return false;
	w->quote.off += sizeof(*ip);
	w->quote.next = ((struct ipv6hdr *)w->header)->nexthdr;
	for (int i = 0; i < XW_EXTENSIONS && is_extension(w->quote.next); i++)
		if (!step_over_quoted(ctx, w))
			return false;
	if (is_extension(w->quote.next) || !quoted_ports(ctx, w, &e, false))
		return false;
	e.src = (__u32 *)(w->header + 1);
	e.dst = (__u32 *)(w->header + 3);
	if (!write_key(ctx, p, &w->key, &e))
		return false;
	find_flow(w, false);
	return w->place;
}

/* Write p->state: is the packet that this ICMP error quotes one of a live flow, and was it sent by
 * whom the error is for? */
static __always_inline void note_related(struct xw_ctx *ctx, struct packet *p, struct flow_work *w)
{
	bool found;

	w->quote.off = p->l4_off + QUOTED_BYTES;
	w->quote.limit = p->l4_end;
	found = p->kind == XW_KIND_IP4 ? find_quoted4(ctx, p, w) : find_quoted6(ctx, p, w);
	p->state = found && p->l4_off ? XW_STATE_RELATED : XW_STATE_INVALID;
	count_invalid(p);
}

#endif
