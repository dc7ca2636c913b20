/* SPDX-License-Identifier: GPL-2.0-only */
/* Turn a SYN into the SYN-ACK that answers it, in its frame. */
#ifndef XDPWALL_SYN_ANSWER_H
#define XDPWALL_SYN_ANSWER_H

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
#include "account.h"
#include "packet.h"
#include "rate_maps.h"
#include "syn.h"

/* Ten full segments of Ethernet, the initial window of a sender (RFC 6928): more it does not send
 * before the listener's first ACK, which has a window of its own. */
#define SYN_ACK_WINDOW 14600
#define SYN_ACK_TTL    64 /* net.ipv4.ip_default_ttl and net.ipv6.conf.*.hop_limit, unless set */
#define IP_DF	       0x4000

/* A TCP header with the MSS option. */
struct syn_ack {
	struct tcphdr tcp;
	__u8 kind;
	__u8 size;
	__be16 mss;
};

/* Bytes of the answer's frame, without padding. */
static __always_inline __u32 answer_length(const struct packet *p, const struct syn_work *w)
{
	__u32 ip = p->kind == XW_KIND_IP4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);

	return w->l3 + ip + sizeof(struct syn_ack);
}

/* Grow a frame that is too short for the answer. 0: it cannot be. */
static __always_inline int make_room(struct xdp_md *ctx, const struct packet *p,
				     const struct syn_work *w)
{
	__u32 length = ctx->data_end - ctx->data, wanted = answer_length(p, w);

	if (length >= wanted)
		return 1;
	return !bpf_xdp_adjust_tail(ctx, wanted - length);
}

/* Cut the frame behind the answer, but leave Ethernet's least length where it had that. */
static __always_inline int cut_frame(struct xdp_md *ctx, const struct packet *p,
				     const struct syn_work *w)
{
	__u32 length = ctx->data_end - ctx->data, wanted = answer_length(p, w);

	if (wanted < ETH_ZLEN && length >= ETH_ZLEN)
		wanted = ETH_ZLEN;
	return length > wanted ? bpf_xdp_adjust_tail(ctx, (int)wanted - (int)length) : 0;
}

static __always_inline void swap_ends(void *data)
{
	__u16 *half = data, other;

#pragma unroll
	for (int n = 0; n < 3; n++) {
		other = half[n];
		half[n] = half[n + 3];
		half[n + 3] = other;
	}
}

static __always_inline void write_ip4(struct iphdr *ip, const struct packet *p)
{
	const __u16 *half = (const __u16 *)ip;
	__u64 sum = 0;

	ip->tos = 0;
	ip->tot_len = bpf_htons(sizeof(*ip) + sizeof(struct syn_ack));
	ip->id = 0;
	ip->frag_off = bpf_htons(IP_DF);
	ip->ttl = SYN_ACK_TTL;
	ip->check = 0;
	ip->saddr = p->dst[0];
	ip->daddr = p->src[0];
	for (int n = 0; n < 10; n++)
		sum += half[n];
	ip->check = ~fold(sum);
}

static __always_inline void write_ip6(struct ipv6hdr *ip6, const struct packet *p)
{
	*(__be32 *)ip6 = bpf_htonl(6U << 28);
	ip6->payload_len = bpf_htons(sizeof(struct syn_ack));
	ip6->hop_limit = SYN_ACK_TTL;
	__builtin_memcpy(&ip6->saddr, p->dst, 16);
	__builtin_memcpy(&ip6->daddr, p->src, 16);
}

static __always_inline void write_tcp(struct syn_ack *a, const struct packet *p,
				      const struct syn_work *w)
{
	const __u32 *word = (const __u32 *)a;
	__u64 sum = pseudo_sum(p, sizeof(*a));

	a->tcp.source = bpf_htons(p->dport);
	a->tcp.dest = bpf_htons(p->sport);
	a->tcp.ack_seq = bpf_htonl(bpf_ntohl(a->tcp.seq) + 1);
	a->tcp.seq = bpf_htonl(w->cookie);
	((__be16 *)a)[6] = bpf_htons(sizeof(*a) / 4 << 12 | TCP_SYN | TCP_ACK);
	a->tcp.window = bpf_htons(SYN_ACK_WINDOW);
	a->tcp.check = 0;
	a->tcp.urg_ptr = 0;
	a->kind = 2; /* the maximum segment size (RFC 9293) */
	a->size = 4;
	a->mss = bpf_htons(w->mss);
	for (int n = 0; n < 6; n++)
		sum += word[n];
	a->tcp.check = ~fold(sum);
}

static __always_inline void count_answered(const struct packet *p)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct xw_limited *all = bpf_map_lookup_elem(&limited, &cpu);

	if (all)
		all[(p->slot - 1) & rate_mask].answered += p->packets;
}

/* 0: the frame is the answer now, and counted as one. Global: verified by itself. */
__noinline int send_answer(struct xdp_md *ctx, struct packet *p)
{
	struct syn_work *w = this_syn_work();
	void *data, *end, *ip;
	struct syn_ack *a;

	if (!ctx || !p || !w || cut_frame(ctx, p, w))
		return -1;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	ip = data + (w->l3 & 0x1f);
	a = p->kind == XW_KIND_IP4 ? ip + sizeof(struct iphdr) : ip + sizeof(struct ipv6hdr);
	if (data + ETH_HLEN > end || (void *)(a + 1) > end)
		return -1;
	if (p->kind == XW_KIND_IP4)
		write_ip4(ip, p);
	else
		write_ip6(ip, p);
	write_tcp(a, p, w);
	swap_ends(data);
	a++;
	for (int n = 0; n < 2; n++) { /* a short answer's padding */
		if ((void *)a + n + 1 > end)
			break;
		((__u8 *)a)[n] = 0;
	}
	count_answered(p);
	return 0;
}

#endif
