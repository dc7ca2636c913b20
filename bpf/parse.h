/* SPDX-License-Identifier: GPL-2.0-only */
/* Parse a frame into struct packet: Ethernet and VLAN tags here, IP in parse_ip.h, L4 in read.h.
 *
 * A field is read when its bytes lie inside the frame and inside the IP header's total length. Any
 * other is marked as hidden, one by one; nothing is guessed.
 */
#ifndef XDPWALL_PARSE_H
#define XDPWALL_PARSE_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "context.h"
#include "packet.h"
#include "parse_ip.h"
#include "read.h"

static __always_inline bool is_vlan_tag(__u16 ethertype)
{
	return ethertype == ETH_P_8021Q || ethertype == ETH_P_8021AD || ethertype == ETH_P_QINQ1;
}

/* Parse `ctx` into `p`, which is zeroed. Returns -1 without an Ethernet header, else 0.
 * Global: verified once, by itself, and not again for each state of the caller (Linux 5.6). */
__noinline int parse_frame(struct xw_ctx *ctx, struct packet *p)
{
	__be16 buf[ETH_HLEN / 2], *eth, *tag;
	__u32 off = ETH_HLEN, tags = 0;
	__u16 ethertype;

	if (!ctx || !p)
		return -1;
	p->vlan = XW_VLAN_NONE;
	eth = header_pointer(ctx, 0, ETH_HLEN, buf);
	if (!eth)
		return -1;
	ethertype = bpf_ntohs(eth[6]);
	if (stripped_vlan(ctx, &p->vlan))
		tags = 1;
#pragma unroll
	for (int i = 0; i <= XW_TAGS; i++) {
		if (!is_vlan_tag(ethertype))
			break;
		if (tags == XW_TAGS) {
			p->kind = XW_KIND_OPAQUE;
			p->malformed = 1;
			return 0;
		}
		tag = header_pointer(ctx, off, 4, buf);
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
	if (ethertype == ETH_P_IP) {
		p->kind = XW_KIND_IP4;
		parse_ip4(ctx, p, off);
	} else if (ethertype == ETH_P_IPV6) {
		p->kind = XW_KIND_IP6;
		parse_ip6(ctx, p, off);
	} else if (ethertype < ETH_P_802_3_MIN) {
		p->kind = XW_KIND_LLC;
	} else {
		p->kind = XW_KIND_ETHER;
	}
	return 0;
}

#endif
