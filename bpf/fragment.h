/* SPDX-License-Identifier: GPL-2.0-only */
/* Fragments: the L4 fields of a first fragment are kept in the map `fragments` for the later ones,
 * which have no L4 header, so that rules on ports match a whole datagram. */
#ifndef XDPWALL_FRAGMENT_H
#define XDPWALL_FRAGMENT_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "explain.h"
#include "maps.h"
#include "packet.h"
#include "parse_ip.h"
#include "read.h"

/* The key of RFC 791 and RFC 8200: addresses, identification and, of IPv4, the protocol. */
static __always_inline struct datagram datagram_key(const struct packet *p)
{
	struct datagram key = {
	    .id = p->fragment_id,
	    .proto = p->kind == XW_KIND_IP4 ? p->proto : XW_BYTE_HIDDEN,
	};

	__builtin_memcpy(key.src, p->src, sizeof(key.src));
	__builtin_memcpy(key.dst, p->dst, sizeof(key.dst));
	return key;
}

/* Keep a first fragment's L4 fields, whatever its verdict will be. */
static __always_inline void remember_first_fragment(const struct packet *p)
{
	struct datagram key = datagram_key(p);
	struct xw_first_fragment first = {
	    .seen = bpf_ktime_get_ns(),
	    .icmp = p->icmp,
	    .proto = p->proto,
	    .flags = p->flags,
	    .sport = p->sport,
	    .dport = p->dport,
	    .ports = p->ports,
	};

	if (EXPLAINING)
		return;
	bpf_map_update_elem(&fragments, &key, &first, BPF_ANY);
}

/* Copy the first fragment's L4 fields. False: none was seen in the last XW_FRAGMENT_NS. */
static __always_inline bool recall_first_fragment(struct packet *p)
{
	struct datagram key = datagram_key(p);
	const struct xw_first_fragment *first = asked_first_fragment();

	if (!first)
		first = bpf_map_lookup_elem(&fragments, &key);
	if (!first || bpf_ktime_get_ns() - first->seen > XW_FRAGMENT_NS)
		return false;
	p->icmp = first->icmp;
	p->proto = first->proto;
	p->flags = first->flags;
	p->sport = first->sport;
	p->dport = first->dport;
	p->ports = first->ports;
	/* What is hidden in the first one stays so; just TCP's flags, if it had 4 to 13 bytes. */
	if (p->ports == PORTS_HIDDEN || p->flags == XW_BYTE_HIDDEN || p->proto == XW_BYTE_HIDDEN)
		p->malformed = 1;
	return true;
}

static __always_inline bool is_fragment(const struct packet *p)
{
	return p->fragment == XW_FRAG_FIRST || p->fragment == XW_FRAG_LATER;
}

/* Fill in a fragment's L4 fields after parse_frame(), or hide them. Returns -1 for p = NULL, else
 * 0. Not inlined, so that its stack and the parser's do not add up. RFC 1858 and RFC 3128: a TCP
 * fragment at offset 8 can overwrite the flags that rules have seen. */
__noinline int resolve_fragment(struct packet *p)
{
	bool known;

	if (!p)
		return -1;
	if (p->fragment == XW_FRAG_FIRST) {
		remember_first_fragment(p);
		return 0;
	}
	if (p->proto == XW_BYTE_HIDDEN) /* behind an atomic fragment header */
		return 0;
	known = recall_first_fragment(p);
	if (!known && p->kind == XW_KIND_IP6 && is_extension(p->proto))
		hide_proto(p);
	else if (!known || (p->proto == IPPROTO_TCP && p->fragment_units == 1))
		hide_l4(p);
	return 0;
}

#endif
