/* SPDX-License-Identifier: GPL-2.0-only */
/* A SYN as it lies in the frame: where its headers are, and whether its checksums are right. */
#ifndef XDPWALL_SYN_H
#define XDPWALL_SYN_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "packet.h"
#include "parse.h"
#include "tcp_flags.h"

#define SYN_MOST_DATA                                                                              \
	1536 /* bytes behind the TCP header that are summed; a SYN with more passes                \
	      */

/* What the steps of one SYN hand on. On no stack, where there is no room (match.h). */
struct syn_work {
	__u64 header[8]; /* the TCP header, 60 bytes at most */
	struct bpf_sock_tuple tuple;
	struct bpf_fib_lookup route;
	__u32 l3;     /* of the IP header in the frame */
	__u32 l4;     /* of the TCP header */
	__u32 length; /* of the TCP segment */
	__u32 doff;   /* of its header, in bytes */
	__u32 mtu;
	__u32 cookie; /* the number of the answer */
	__u32 mss;    /* in the answer */
	__u32 unused;
};

/* One a program and CPU: no packet interrupts another one of its hook. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct syn_work);
} syn_works SEC(".maps");

static __always_inline struct syn_work *this_syn_work(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&syn_works, &zero);
}

/* A SYN, not a fragment, whose addresses and ports were read. */
static __always_inline bool is_plain_syn(const struct packet *p)
{
	if (p->proto != IPPROTO_TCP || p->kind > XW_KIND_IP6 || p->fragment != XW_FRAG_NONE)
		return false;
	if (p->ports != PORTS_READ || p->addresses_hidden || p->flags > 0xff)
		return false;
	return (p->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

/* Could both ends be hosts that speak TCP? The kernel takes no SYN from or to a group, nor from an
 * address that is nobody's. */
static __always_inline bool are_hosts(const struct packet *p)
{
	__u32 net4 = bpf_ntohl(p->src[0]) >> 24, net6 = bpf_ntohl(p->src[0]) >> 24;

	if (p->kind == XW_KIND_IP4)
		return net4 && net4 != 127 && net4 < 224 && bpf_ntohl(p->dst[0]) >> 24 < 224;
	if (net6 == 0xff || bpf_ntohl(p->dst[0]) >> 24 == 0xff)
		return false;
	return p->src[0] | p->src[1] | p->src[2] | (p->src[3] & bpf_htonl(~1U)); /* :: and ::1 */
}

static __always_inline __u32 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Of the TCP pseudo-header, in the frame's byte order. */
static __always_inline __u64 pseudo_sum(const struct packet *p, __u32 length)
{
	__u64 sum = (__u64)p->src[0] + p->dst[0] + bpf_htons(length) + bpf_htons(IPPROTO_TCP);

	if (p->kind == XW_KIND_IP4)
		return sum;
	return sum + p->src[1] + p->src[2] + p->src[3] + p->dst[1] + p->dst[2] + p->dst[3];
}

/* Sum the `length` bytes at `off`, an even place of the packet; -1: not all are in place. Global:
 * verified once. */
__noinline int sum_bytes(struct xdp_md *ctx, __u32 off, __u32 length)
{
	void *at, *end;
	__u64 sum = 0;

	if (!ctx || off > 0xff || length > SYN_MOST_DATA)
		return -1;
	at = (void *)(long)ctx->data + off;
	end = (void *)(long)ctx->data_end;
	for (int n = 0; n < SYN_MOST_DATA / 32 && length >= 32; n++) {
		const __u32 *word = at;

		barrier_var(at); /* else clang compares with end + 1, which the verifier refuses */
		if (at + 32 > end)
			return -1;
		sum += (__u64)word[0] + word[1] + word[2] + word[3];
		sum += (__u64)word[4] + word[5] + word[6] + word[7];
		at += 32;
		length -= 32;
	}
	for (int n = 0; n < 16 && length >= 2; n++) {
		barrier_var(at);
		if (at + 2 > end)
			return -1;
		sum += *(__u16 *)at;
		at += 2;
		length -= 2;
	}
	if (length) {
		if (at + 1 > end)
			return -1;
		sum += bpf_htons(*(__u8 *)at << 8);
	}
	return fold(sum);
}

/* Where the IP header begins; 0: there is none in place. parse_frame() has found it behind that
 * ethertype once. */
static __always_inline __u32 find_ip(const void *data, const void *end)
{
	const __be16 *type = data + 2 * ETH_ALEN;
	__u32 off = ETH_HLEN;

#pragma unroll
	for (int i = 0; i < XW_TAGS; i++) {
		if ((void *)(type + 1) > end)
			return 0;
		if (!is_vlan_tag(bpf_ntohs(*type)))
			break;
		type += 2;
		off += 4;
	}
	return off;
}

/* Read the headers of a SYN into *w: IPv4 without options, its checksum right, or IPv6 with TCP
 * right behind the fixed header. False: it is another one. */
static __always_inline bool locate_syn(struct xdp_md *ctx, const struct packet *p,
				       struct syn_work *w)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 off = find_ip(data, end);
	const struct ipv6hdr *ip6 = data + off;
	const struct iphdr *ip = data + off;
	const __u16 *half = data + off;
	const __u8 *to = data;
	__u64 sum = 0;

	if (!off || (void *)(ip + 1) > end || to[0] & 1) /* a frame for many */
		return false;
	w->l3 = off;
	if (p->kind == XW_KIND_IP4) {
		if (ip->version != 4 || ip->ihl != 5 || ip->protocol != IPPROTO_TCP)
			return false;
		for (int n = 0; n < 10; n++)
			sum += half[n];
		if (fold(sum) != 0xffff)
			return false;
		w->l4 = off + sizeof(*ip);
		w->length = bpf_ntohs(ip->tot_len) - sizeof(*ip);
	} else {
		if ((void *)(ip6 + 1) > end || ip6->version != 6 || ip6->nexthdr != IPPROTO_TCP)
			return false;
		w->l4 = off + sizeof(*ip6);
		w->length = bpf_ntohs(ip6->payload_len);
	}
	return w->length >= sizeof(struct tcphdr) && w->length <= SYN_MOST_DATA;
}

/* Copy the TCP header into *w, and verify the checksum of the segment. */
static __always_inline bool verify_segment(struct xdp_md *ctx, const struct packet *p,
					   struct syn_work *w)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 off = w->l4, *copy = (__u32 *)w->header;
	const struct tcphdr *tcp;
	const __u32 *word;
	__u32 doff;
	__u64 sum;
	int rest;

	if (off > 0xff)
		return false;
	tcp = data + off;
	word = data + off;
	if ((void *)(tcp + 1) > end)
		return false;
	doff = tcp->doff * 4;
	if (doff < sizeof(*tcp) || doff > w->length)
		return false;
	sum = pseudo_sum(p, w->length);
#pragma unroll
	for (__u32 n = 0; n < 5; n++) {
		copy[n] = word[n];
		sum += word[n];
	}
#pragma unroll
	for (__u32 n = 5; n < 15; n++) { /* the options */
		if (n * 4 < doff) {
			if ((void *)(word + n + 1) > end)
				return false;
			copy[n] = word[n];
			sum += word[n];
		}
	}
	if (w->length > doff) {
		rest = sum_bytes(ctx, off + doff, w->length - doff);
		if (rest < 0)
			return false;
		sum += rest;
	}
	w->doff = doff;
	return fold(sum) == 0xffff;
}

#endif
