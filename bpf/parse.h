/* SPDX-License-Identifier: GPL-2.0-only */
/* A frame -> struct packet. What cannot be read is said so, field by field; nothing is guessed.
 *
 * Included by xdp.bpf.c and tc.bpf.c, which give `struct xw_ctx`, frame_length(), load_bytes() and
 * stripped_vlan(). A field can be read when its bytes lie inside the frame and inside the IP
 * packet's own length.
 */
#ifndef XDPWALL_PARSE_H
#define XDPWALL_PARSE_H

#include <linux/ip.h>
#include <linux/ipv6.h>

#include "maps.h"
#include "packet.h"

#define ETH_HEADER	14
#define ETHERTYPE_IP4	0x0800
#define ETHERTYPE_IP6	0x86dd
#define ETHERTYPE_FIRST 0x0600 /* below it is the length of an LLC frame */

#define ICMP   1
#define TCP    6
#define UDP    17
#define ICMPV6 58
#define SCTP   132

#define IP6_HOP_BY_HOP	0
#define IP6_ROUTING	43
#define IP6_FRAGMENT	44
#define IP6_AH		51
#define IP6_DESTINATION 60
#define IP6_MOBILITY	135
#define IP6_HIP		139
#define IP6_SHIM6	140

/* n bytes at off: in place where the packet is linear, else copied to buf; NULL past the end.
 * Headers are read by their fields' whole words, wherever they lie: put together of bytes, IPv6
 * addresses alone take 70 instructions more. The stack wants a buf that is aligned for it. */
static __always_inline void *at(struct xw_ctx *ctx, __u32 off, const __u32 n, void *buf)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	/* clang would otherwise compute the end from a sum that the caller has, and Linux 6.1 not
	 * see that both are one pointer. */
	barrier_var(off);
	/* Farther than eight of the longest extension headers; the verifier wants a bound. */
	if (off > 0x7fff)
		return NULL;
	if (data + off + n <= end)
		return data + off;
	if (load_bytes(ctx, off, buf, n))
		return NULL;
	return buf;
}

static __always_inline void hide_l4(struct packet *p)
{
	p->ports = PORTS_HIDDEN;
	p->flags = XW_BYTE_HIDDEN;
	p->icmp = XW_ICMP_HIDDEN;
	p->malformed = 1;
}

static __always_inline void hide_proto(struct packet *p)
{
	p->proto = XW_BYTE_HIDDEN;
	hide_l4(p);
}

/* Nothing behind the ethertype can be read. */
static __always_inline void hide_ip(struct packet *p)
{
	p->addresses_hidden = 1;
	p->length = XW_LENGTH_HIDDEN;
	p->ttl = XW_BYTE_HIDDEN;
	p->fragment = XW_FRAG_HIDDEN;
	hide_proto(p);
}

/* Ports are 4 bytes, TCP's flags need 14, ICMP's type and code 2. */
static __always_inline void parse_l4(struct xw_ctx *ctx, struct packet *p, __u32 off, __u32 limit)
{
	__be16 buf[2], *l4;
	__u8 flag_buf[2], *flags;

	if (p->proto == TCP || p->proto == UDP || p->proto == SCTP) {
		l4 = off + 4 <= limit ? at(ctx, off, 4, buf) : NULL;
		if (!l4) {
			hide_l4(p);
			return;
		}
		p->ports = PORTS_READ;
		p->sport = bpf_ntohs(l4[0]);
		p->dport = bpf_ntohs(l4[1]);
		if (p->proto != TCP)
			return;
		flags = off + 14 <= limit ? at(ctx, off + 12, 2, flag_buf) : NULL;
		if (flags) {
			p->flags = flags[1];
		} else {
			p->flags = XW_BYTE_HIDDEN;
			p->malformed = 1;
		}
	} else if ((p->kind == XW_KIND_IP4 && p->proto == ICMP) ||
		   (p->kind == XW_KIND_IP6 && p->proto == ICMPV6)) {
		l4 = off + 2 <= limit ? at(ctx, off, 2, buf) : NULL;
		if (l4) {
			p->icmp = bpf_ntohs(l4[0]);
		} else {
			hide_l4(p);
		}
	}
}

#include "parse_ip.h"

static __always_inline bool is_tag(__u16 ethertype)
{
	return ethertype == 0x8100 || ethertype == 0x88a8 || ethertype == 0x9100;
}

/* Global, so that the verifier walks it once and not once more in every caller's state. */
__noinline int parse(struct xw_ctx *ctx, struct packet *p)
{
	__be16 buf[ETH_HEADER / 2], *eth, *tag;
	__u32 off = ETH_HEADER, tags = 0;
	__u16 ethertype;

	if (!ctx || !p)
		return -1;
	p->vlan = XW_VLAN_NONE;
	eth = at(ctx, 0, ETH_HEADER, buf);
	if (!eth)
		return -1;
	ethertype = bpf_ntohs(eth[6]);
	if (stripped_vlan(ctx, &p->vlan))
		tags = 1;
#pragma unroll
	for (int i = 0; i <= XW_TAGS; i++) {
		if (!is_tag(ethertype))
			break;
		if (tags == XW_TAGS) {
			p->kind = XW_KIND_OPAQUE;
			p->malformed = 1;
			return 0;
		}
		tag = at(ctx, off, 4, buf);
		if (!tag) {
			p->vlan = XW_VLAN_HIDDEN;
			p->kind = XW_KIND_OPAQUE;
			p->malformed = 1;
			return 0;
		}
		if (!tags)
			p->vlan = bpf_ntohs(tag[0]) & 0xfff;
		ethertype = bpf_ntohs(tag[1]);
		off += 4;
		tags++;
	}
	p->ethertype = ethertype;
	if (ethertype == ETHERTYPE_IP4) {
		p->kind = XW_KIND_IP4;
		parse_ip4(ctx, p, off);
	} else if (ethertype == ETHERTYPE_IP6) {
		p->kind = XW_KIND_IP6;
		parse_ip6(ctx, p, off);
	} else if (ethertype < ETHERTYPE_FIRST) {
		p->kind = XW_KIND_LLC;
	} else {
		p->kind = XW_KIND_ETHER;
	}
	return 0;
}

#endif
