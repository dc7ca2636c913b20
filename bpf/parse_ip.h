/* SPDX-License-Identifier: GPL-2.0-only */
/* Parse IPv4 and IPv6 headers, with IPv6 extension headers, at offset `off` of the frame. */
#ifndef XDPWALL_PARSE_IP_H
#define XDPWALL_PARSE_IP_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "context.h"
#include "packet.h"
#include "read.h"

/* Missing in linux/in6.h. */
#define IPPROTO_HIP   139
#define IPPROTO_SHIM6 140

static __always_inline void parse_ip4(struct xw_ctx *ctx, struct packet *p, __u32 off)
{
	__u32 frame = frame_length(ctx), header, total, limit;
	struct iphdr buf, *ip = header_pointer(ctx, off, sizeof(buf), &buf);
	__u16 fragment;

	if (!ip || ip->version != 4) {
		hide_ip(p);
		return;
	}
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	if (header < 20 || total < header || off + header > frame) {
		hide_ip(p);
		return;
	}
	p->src[0] = ip->saddr;
	p->dst[0] = ip->daddr;
	p->length = total;
	p->ttl = ip->ttl;
	p->proto = ip->protocol;
	p->fragment_id = bpf_ntohs(ip->id);
	fragment = bpf_ntohs(ip->frag_off);
	limit = off + total < frame ? off + total : frame;
	p->fragment_units = fragment & 0x1fff;
	if (p->fragment_units) {
		p->fragment = XW_FRAG_LATER;
		return;
	}
	if (fragment & 0x2000)
		p->fragment = XW_FRAG_FIRST;
	parse_l4(ctx, p, off + header, limit);
}

/* Is this Next Header value an extension header (RFC 8200, IANA's registry)? ESP ends the chain. */
static __always_inline bool is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT ||
	       next == IPPROTO_AH || next == IPPROTO_DSTOPTS || next == IPPROTO_MH ||
	       next == IPPROTO_HIP || next == IPPROTO_SHIM6;
}

/* The walk along the extension headers. */
struct extension_chain {
	__u32 off;   /* of the current header in the frame */
	__u32 limit; /* end of the IP packet or of the frame */
	__u32 first; /* offset of the first header */
	__u8 next;   /* type of the current header */
	__u8 fragment_headers;
};

/* Step over one extension header. False: the header is cut off, too short, or a second Fragment
 * header of which one or the other is not atomic, and the chain ends. Global: verified once, by
 * itself, and not again for each of eight headers and each state before it (Linux 5.6). */
__noinline int parse_extension(struct xw_ctx *ctx, struct packet *p, struct extension_chain *c)
{
	__u8 buf[8] __attribute__((aligned(4))), *h;
	__u32 size;
	__u16 fragment;

	if (!ctx || !p || !c)
		return false;
	h = c->off + 8 <= c->limit ? header_pointer(ctx, c->off, 8, buf) : NULL;
	if (!h)
		return false;
	if (c->next == IPPROTO_FRAGMENT) {
		if (p->fragment)
			return false;
		fragment = bpf_ntohs(*(__be16 *)(h + 2));
		p->fragment_id = bpf_ntohl(*(__be32 *)(h + 4));
		p->fragment_units = fragment >> 3;
		c->next = h[0];
		c->off += 8;
		if (p->fragment_units)
			p->fragment = XW_FRAG_LATER;
		else if (fragment & 1)
			p->fragment = XW_FRAG_FIRST;
		return !c->fragment_headers++ || !p->fragment;
	}
	size = c->next == IPPROTO_AH ? (h[1] + 2) * 4 : (h[1] + 1) * 8;
	if (size < 12 && c->next == IPPROTO_AH)
		return false;
	if (c->off + size > c->limit)
		return false;
	c->next = h[0];
	c->off += size;
	return true;
}

/* Walk along the extension headers, of which there is one. False: protocol and upper layer cannot
 * be read. */
static __always_inline bool parse_extensions(struct xw_ctx *ctx, struct packet *p,
					     struct extension_chain *c)
{
	c->first = c->off;
	for (int i = 0; i < XW_EXTENSIONS; i++) {
		if (!parse_extension(ctx, p, c))
			break;
		if (p->fragment == XW_FRAG_LATER)
			return true;
		if (!is_extension(c->next))
			return c->fragment_headers < 2;
	}
	if (!p->fragment) /* a Fragment header may follow */
		p->fragment = XW_FRAG_HIDDEN;
	return false;
}

/* RFC 4861 messages, which never leave a link: ICMPv6 types 133 to 137, hop limit 255. One behind
 * an extension header is none here. */
static __always_inline bool is_neighbor_discovery(const struct packet *p)
{
	__u32 type = p->icmp >> 8;

	return p->ttl == 255 && type >= 133 && type <= 137;
}

/* Multicast Listener Discovery (RFC 2710, RFC 3810), without which snooping switches stop
 * forwarding neighbor solicitations: ICMPv6 types 130 to 132 and 143, hop limit 1, from a
 * link-local address or ::, right behind a hop-by-hop header at `off` of 8 bytes that has the
 * Router Alert option of MLD (RFC 2711) and padding only. Global: verified once, by itself
 * (Linux 5.6). */
__noinline int is_listener_discovery(struct xw_ctx *ctx, const struct packet *p, __u32 off)
{
	__be64 buf, *h;
	__u32 type;

	if (!ctx || !p)
		return false;
	type = p->icmp >> 8;
	if (p->ttl != 1 || p->length == XW_LENGTH_HIDDEN)
		return false;
	if ((type < 130 || type > 132) && type != 143)
		return false;
	if ((p->src[0] & bpf_htonl(0xffc00000)) != bpf_htonl(0xfe800000) &&
	    (p->src[0] | p->src[1] | p->src[2] | p->src[3]))
		return false;
	h = header_pointer(ctx, off, 8, &buf);
	if (!h)
		return false;
	/* Next header 58, length 0, and the option 05 02 00 00 with two bytes of padding. */
	switch (bpf_be64_to_cpu(*h)) {
	case 0x3a00050200000100: /* PadN */
	case 0x3a00010005020000:
	case 0x3a00050200000000: /* Pad1 twice */
	case 0x3a00000502000000:
	case 0x3a00000005020000:
		return true;
	}
	return false;
}

static __always_inline void parse_ip6(struct xw_ctx *ctx, struct packet *p, __u32 off)
{
	__u32 frame = frame_length(ctx), payload;
	struct ipv6hdr buf __attribute__((aligned(8))),
	    *ip = header_pointer(ctx, off, sizeof(buf), &buf);
	__u8 first_next;
	struct extension_chain c = {};

	if (!ip || ip->version != 6) {
		hide_ip(p);
		return;
	}
	/* Copied in u64, as they are compared. */
	__builtin_memcpy(p->src, __builtin_assume_aligned(&ip->saddr, 8), 16);
	__builtin_memcpy(p->dst, __builtin_assume_aligned(&ip->daddr, 8), 16);
	p->ttl = ip->hop_limit;
	payload = bpf_ntohs(ip->payload_len);
	first_next = c.next = ip->nexthdr;
	c.off = off + 40;
	p->length = 40 + payload;
	c.limit = c.off + payload < frame ? c.off + payload : frame;
	if (!payload && first_next == IPPROTO_HOPOPTS) { /* RFC 2675: a jumbogram */
		c.limit = frame;
		p->length = XW_LENGTH_HIDDEN;
		p->malformed = 1;
	}
	if (is_extension(c.next) && !parse_extensions(ctx, p, &c)) {
		hide_proto(p);
		return;
	}
	p->proto = c.next;
	if (p->fragment == XW_FRAG_LATER)
		return;
	parse_l4(ctx, p, c.off, c.limit);
	if (c.next != IPPROTO_ICMPV6)
		return;
	if (first_next == IPPROTO_ICMPV6)
		p->neighbor_discovery = is_neighbor_discovery(p);
	else if (first_next == IPPROTO_HOPOPTS)
		p->neighbor_discovery = is_listener_discovery(ctx, p, c.first);
}

#endif
