/* SPDX-License-Identifier: GPL-2.0-only */
/* The key of a flow: family, zone, protocol and the unordered pair of (address, port), so that both
 * directions find one flow by one lookup. Endpoint 0 is the lesser one. */
#ifndef XDPWALL_FLOW_KEY_H
#define XDPWALL_FLOW_KEY_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi_flows.h"
#include "context.h"
#include "explain.h"
#include "flow_maps.h"
#include "packet.h"

/* The key, and where it leads to. */
struct flow_key {
	__u64 addresses[4]; /* of IPv4 the first only (struct xw_flow4) */
	__u64 hash;
	__u32 ports; /* endpoint 0's in the upper half */
	__u32 zone;
	__u32 proto;
	__u32 tag;
	__u32 side; /* the endpoint that sent the packet */
};

/* What the steps of one packet hand on. On no stack, where there is no room (match.h). */
struct flow_work {
	struct flow_key key;
	__u64 ports_meta; /* of the flow that was found, as it was then */
	__u32 now;	  /* ticks */
	__u32 deadline;	  /* of the flow that was found, as ports_meta */
	__u32 place;	  /* of the live flow that has the key, + 1; 0: none has */
	__u32 has_key;	  /* the packet is one of a flow, if one were there */
	__u32 socket;	  /* enum flow_socket */
	__u32 over;	  /* a SYN, for a flow that is over */
	__u32 steady;	  /* the packet changes nothing of its flow but the count of packets */
	struct bpf_sock_tuple tuple;
	__u64 header[5]; /* of a quoted packet, where it is not linear */
	__u64 short_header;
	struct quote {
		__u32 off; /* of the quoted packet's current header in the frame */
		__u32 limit;
		__u32 next; /* its type */
	} quote;
};

enum flow_socket { SOCKET_UNASKED = 0, SOCKET_NONE, SOCKET_EARLY, SOCKET_PAST_HANDSHAKE };

/* One a program and CPU: no packet interrupts another one of its hook. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_work);
} flow_works SEC(".maps");

static __always_inline struct flow_work *this_flow_work(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&flow_works, &zero);
}

/* Two endpoints as they stand in a packet, or in the packet that an ICMP error quotes. */
struct endpoints {
	const __u32 *src;
	const __u32 *dst;
	__u16 sport; /* of an echo the asker's: the identifier, and the other's: 0 */
	__u16 dport;
	__u8 asker; /* of an echo: 0 the source, 1 the destination asks */
	bool echo;
};

/* Multiply and fold, as wyhash does (Wang Yi, 2019); the upper bits are the good ones. */
static __always_inline __u64 mix(__u64 word, __u64 factor)
{
	word *= factor;
	return word ^ word >> 32;
}

static __always_inline bool is_link_local4(__u32 address)
{
	return (address & bpf_htonl(0xffff0000)) == bpf_htonl(0xa9fe0000);
}

static __always_inline bool is_link_local6(const __u32 *address)
{
	return (address[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

static __always_inline __u32 interface_of(struct xw_ctx *ctx)
{
#ifdef XW_EXPLAIN
	const struct xw_question *q = asked();

	return q ? q->ifindex : 0;
#elif defined(XW_TC)
	return ctx->ifindex;
#else
	return ctx->ingress_ifindex;
#endif
}

static __always_inline void set_hash(struct flow_key *k, __u64 hash)
{
	k->hash = hash;
	k->tag = hash >> 48;
	if (k->tag < XW_FLOW_TAGS)
		k->tag += XW_FLOW_TAGS;
}

/* Write the key and its hash. False: both endpoints are equal, which no flow has but an echo's,
 * whose asker comes first then. */
static __always_inline bool write_key4(struct flow_key *k, const struct endpoints *e, __u32 ifindex)
{
	__u64 src = bpf_ntohl(e->src[0]), dst = bpf_ntohl(e->dst[0]);
	__u64 from = src << 16 | e->sport, to = dst << 16 | e->dport, hash;
	bool swap = from == to ? e->asker : from > to;

	if (from == to && !e->echo)
		return false;
	k->side = swap;
	k->addresses[0] = swap ? dst << 32 | src : src << 32 | dst;
	k->ports = swap ? (__u32)e->dport << 16 | e->sport : (__u32)e->sport << 16 | e->dport;
	k->zone = 0;
	if (is_link_local4(e->src[0]) || is_link_local4(e->dst[0]))
		k->zone = ifindex;
	if (e->echo && e->asker != swap)
		k->zone |= XW_FLOW_ASKER1;
	hash = mix(k->addresses[0] ^ flow_key[0], flow_key[1]);
	hash = mix(hash ^ ((__u64)k->ports << 32 | (k->zone ^ k->proto << 24)), flow_key[1]);
	set_hash(k, hash);
	return true;
}

static __always_inline bool write_key6(struct flow_key *k, const struct endpoints *e, __u32 ifindex)
{
	const __u64 *src = (const __u64 *)e->src, *dst = (const __u64 *)e->dst;
	bool swap;
	__u64 hash;

	if (src[0] != dst[0])
		swap = src[0] > dst[0];
	else if (src[1] != dst[1])
		swap = src[1] > dst[1];
	else if (e->sport != e->dport)
		swap = e->sport > e->dport;
	else
		swap = e->asker;
	if (src[0] == dst[0] && src[1] == dst[1] && e->sport == e->dport && !e->echo)
		return false;
	k->side = swap;
	k->addresses[0] = swap ? dst[0] : src[0];
	k->addresses[1] = swap ? dst[1] : src[1];
	k->addresses[2] = swap ? src[0] : dst[0];
	k->addresses[3] = swap ? src[1] : dst[1];
	k->ports = swap ? (__u32)e->dport << 16 | e->sport : (__u32)e->sport << 16 | e->dport;
	k->zone = 0;
	if (is_link_local6(e->src) || is_link_local6(e->dst))
		k->zone = ifindex;
	if (e->echo && e->asker != swap)
		k->zone |= XW_FLOW_ASKER1;
	hash = mix(k->addresses[0] ^ flow_key[0], flow_key[1]);
	hash = mix(hash ^ k->addresses[1], flow_key[1]);
	hash = mix(hash ^ k->addresses[2], flow_key[1]);
	hash = mix(hash ^ k->addresses[3], flow_key[1]);
	hash = mix(hash ^ ((__u64)k->ports << 32 | (k->zone ^ k->proto << 24)), flow_key[1]);
	set_hash(k, hash);
	return true;
}

/* `p` says the family only. */
static __always_inline bool write_key(struct xw_ctx *ctx, const struct packet *p,
				      struct flow_key *k, const struct endpoints *e)
{
	__u32 ifindex = interface_of(ctx);

	return p->kind == XW_KIND_IP4 ? write_key4(k, e, ifindex) : write_key6(k, e, ifindex);
}

#endif
