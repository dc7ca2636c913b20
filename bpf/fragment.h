/* SPDX-License-Identifier: GPL-2.0-only */
/* What the first fragment of a datagram says of the later ones. */
#ifndef XDPWALL_FRAGMENT_H
#define XDPWALL_FRAGMENT_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "maps.h"
#include "packet.h"
#include "parse_ip.h"
#include "read.h"

static __always_inline struct datagram key_of(const struct packet *p)
{
	struct datagram key = {
	    .id = p->fragment_id,
	    .proto = p->kind == XW_KIND_IP4 ? p->proto : XW_BYTE_HIDDEN,
	};

	__builtin_memcpy(key.src, p->src, sizeof(key.src));
	__builtin_memcpy(key.dst, p->dst, sizeof(key.dst));
	return key;
}

/* Writes down what a first fragment says; whatever its verdict will be. */
static __always_inline void remember(const struct packet *p)
{
	struct datagram key = key_of(p);
	struct first_fragment said = {
	    .seen = bpf_ktime_get_ns(),
	    .icmp = p->icmp,
	    .proto = p->proto,
	    .flags = p->flags,
	    .sport = p->sport,
	    .dport = p->dport,
	    .ports = p->ports,
	};

	bpf_map_update_elem(&fragments, &key, &said, BPF_ANY);
}

/* Fills in a later fragment from its first one. False: the first was not seen in time. */
static __always_inline bool recall(struct packet *p)
{
	struct datagram key = key_of(p);
	struct first_fragment *said;

	said = bpf_map_lookup_elem(&fragments, &key);
	if (!said || bpf_ktime_get_ns() - said->seen > XW_FRAGMENT_NS)
		return false;
	p->icmp = said->icmp;
	p->proto = said->proto;
	p->flags = said->flags;
	p->sport = said->sport;
	p->dport = said->dport;
	p->ports = said->ports;
	/* What the first one hid stays hidden; flags alone when 4 to 13 bytes of TCP were there. */
	if (p->ports == PORTS_HIDDEN || p->flags == XW_BYTE_HIDDEN || p->proto == XW_BYTE_HIDDEN)
		p->malformed = 1;
	return true;
}

static __always_inline bool is_piece(const struct packet *p)
{
	return p->fragment == XW_FRAG_FIRST || p->fragment == XW_FRAG_LATER;
}

/* After parse(), for the fragments among the packets. A function of its own, so that its stack and
 * the parser's do not add up.
 * RFC 1858 and 3128: a TCP fragment 8 bytes in can overwrite the flags that were judged. */
__noinline int piece(struct packet *p)
{
	bool known;

	if (!p)
		return -1;
	if (p->fragment == XW_FRAG_FIRST) {
		remember(p);
		return 0;
	}
	known = recall(p);
	if (!known && p->kind == XW_KIND_IP6 && is_extension(p->proto))
		hide_proto(p);
	else if (!known || (p->proto == IPPROTO_TCP && p->fragment_units == 1))
		hide_l4(p);
	return 0;
}

#endif
