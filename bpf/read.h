/* SPDX-License-Identifier: GPL-2.0-only */
/* Access to header bytes, the L4 header, and the marks on fields that cannot be read. */
#ifndef XDPWALL_READ_H
#define XDPWALL_READ_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "context.h"
#include "packet.h"

/* Like skb_header_pointer(): `n` bytes at `off` in place where the frame is linear, else copied
 * into `buf`; NULL past the end. Callers load whole words from it, so `buf` is aligned as its
 * words: the verifier refuses misaligned stack access, and a load per byte costs 70 instructions
 * for the IPv6 addresses alone. */
static __always_inline void *header_pointer(struct xw_ctx *ctx, __u32 off, const __u32 n, void *buf)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	/* clang 14 computes the end from a sum that the caller already has, and Linux 6.1's
	 * verifier does not see that both are one packet pointer. */
	barrier_var(off);
	/* The verifier wants a bound. Eight of the longest extension headers end below this one. */
	if (off > 0x7fff)
		return NULL;
	if (data + off + n <= end)
		return data + off;
	if (load_bytes(ctx, off, buf, n))
		return NULL;
	return buf;
}

/* Mark the L4 header's fields as unreadable. */
static __always_inline void hide_l4(struct packet *p)
{
	p->ports = PORTS_HIDDEN;
	p->flags = XW_BYTE_HIDDEN;
	p->icmp = XW_ICMP_HIDDEN;
	p->malformed = 1;
}

/* The same, and the protocol is not known either. */
static __always_inline void hide_proto(struct packet *p)
{
	p->proto = XW_BYTE_HIDDEN;
	hide_l4(p);
}

/* Mark all that follows the ethertype as unreadable. */
static __always_inline void hide_ip(struct packet *p)
{
	p->addresses_hidden = 1;
	p->length = XW_LENGTH_HIDDEN;
	p->ttl = XW_BYTE_HIDDEN;
	p->fragment = XW_FRAG_HIDDEN;
	hide_proto(p);
}

#ifdef XW_FLOWS_COMPILED

/* Remember where the L4 header is, for what flows need of it. */
static __always_inline void note_l4(struct packet *p, __u32 off, __u32 limit)
{
	if (off > 0x7fff)
		return;
	p->l4_off = off;
	p->l4_end = limit > 0xffff ? 0xffff : limit;
}

/* Read an echo's identifier into `sport`, which ICMP does not have, so that it is remembered with a
 * first fragment's fields; `dport` is 1 then. */
static __always_inline void note_echo(struct xw_ctx *ctx, struct packet *p, __u32 off, __u32 limit)
{
	__be16 buf, *id = off + 6 <= limit ? header_pointer(ctx, off + 4, 2, &buf) : NULL;

	if (!id)
		return;
	p->sport = bpf_ntohs(*id);
	p->dport = 1;
}

#else

static __always_inline void note_l4(struct packet *p, __u32 off, __u32 limit)
{
}

static __always_inline void note_echo(struct xw_ctx *ctx, struct packet *p, __u32 off, __u32 limit)
{
}

#endif

/* Read the L4 header at `off`, of a packet that ends at `limit`: ports need 4 bytes, TCP's flags
 * 14, ICMP's type and code 2. */
static __always_inline void parse_l4(struct xw_ctx *ctx, struct packet *p, __u32 off, __u32 limit)
{
	__be16 buf[2], *l4;
	__u8 flag_buf[2], *flags;

	note_l4(p, off, limit);
	if (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP || p->proto == IPPROTO_SCTP) {
		l4 = off + 4 <= limit ? header_pointer(ctx, off, 4, buf) : NULL;
		if (!l4) {
			hide_l4(p);
			return;
		}
		p->ports = PORTS_READ;
		p->sport = bpf_ntohs(l4[0]);
		p->dport = bpf_ntohs(l4[1]);
		if (p->proto != IPPROTO_TCP)
			return;
		flags = off + 14 <= limit ? header_pointer(ctx, off + 12, 2, flag_buf) : NULL;
		if (flags) {
			p->flags = flags[1];
		} else {
			p->flags = XW_BYTE_HIDDEN;
			p->malformed = 1;
		}
	} else if ((p->kind == XW_KIND_IP4 && p->proto == IPPROTO_ICMP) ||
		   (p->kind == XW_KIND_IP6 && p->proto == IPPROTO_ICMPV6)) {
		l4 = off + 2 <= limit ? header_pointer(ctx, off, 2, buf) : NULL;
		if (l4) {
			p->icmp = bpf_ntohs(l4[0]);
			note_echo(ctx, p, off, limit);
		} else {
			hide_l4(p);
		}
	}
}

#endif
