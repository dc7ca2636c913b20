/* SPDX-License-Identifier: GPL-2.0-only */
/* Ask the kernel for its cookie for a SYN (bpf_tcp_gen_syncookie()), which it
 * gives only while the listening socket wants cookies: it notes the overflow,
 * and so takes the ACK that brings it back.
 */
#ifndef XDPWALL_SYN_COOKIE_H
#define XDPWALL_SYN_COOKIE_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "abi_rates.h"
#include "explain.h"
#include "packet.h"
#include "rate_maps.h"
#include "syn.h"
#include "syn_answer.h"
#include "tcp_socket.h"

#define FAMILY_IP4 2 /* AF_INET */
#define FAMILY_IP6 10

/* Do this attachment's answers arrive? User space knows
 * (xdpwall/changes/answering.py). */
static __always_inline bool may_answer(const struct packet *p)
{
	__u32 zero = 0, own = attachment_number(p);
	const struct xw_rate *r = bpf_map_lookup_elem(&rates, &zero);
	const struct xw_rates_end *behind;

	if (!r || own >= XW_NUMBERS)
		return false;
	behind = (const void *)(r + (rate_mask & (XW_SLOTS - 1)) + 1);
	return *(volatile __u64 *)&behind->answering[own / 64] >> (own & 63) & 1;
}

/* Does the packet end in this namespace, rather than being forwarded? A
 * listener that is bound to no address is found for every one. */
static __always_inline bool ends_here(struct xdp_md *ctx, const struct packet *p,
				      const struct bpf_sock *listener, struct syn_work *w)
{
	struct bpf_fib_lookup *r = &w->route;
	long found;

	if (p->kind == XW_KIND_IP4 && listener->src_ip4)
		return true;
	__builtin_memset(r, 0, sizeof(*r));
	r->ifindex = ctx->ingress_ifindex;
	r->l4_protocol = IPPROTO_TCP;
	r->sport = bpf_htons(p->sport);
	r->dport = bpf_htons(p->dport);
	if (p->kind == XW_KIND_IP4) {
		r->family = FAMILY_IP4;
		r->ipv4_src = p->src[0];
		r->ipv4_dst = p->dst[0];
	} else {
		r->family = FAMILY_IP6;
		__builtin_memcpy(r->ipv6_src, p->src, 16);
		__builtin_memcpy(r->ipv6_dst, p->dst, 16);
	}
	found = bpf_fib_lookup(ctx, r, sizeof(*r), 0);
	return found == BPF_FIB_LKUP_RET_NOT_FWDED || found == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

static __always_inline long gen_cookie(struct xdp_md *ctx, const struct packet *p,
				       struct bpf_sock *listener, struct syn_work *w)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 off = w->l3, doff = w->doff;
	void *ip = data + (off & 0xff);

	/* Two comparisons: folded into one by clang, Linux 6.1's verifier learns no
	 * bound from it.
	 */
	barrier_var(doff);
	if (doff < sizeof(struct tcphdr))
		return -1;
	barrier_var(doff);
	if (doff > 60)
		return -1;
	if (p->kind == XW_KIND_IP4) {
		if (ip + sizeof(struct iphdr) > end)
			return -1;
		return bpf_tcp_gen_syncookie(listener, ip, sizeof(struct iphdr), (void *)w->header,
					     doff);
	}
	if (ip + sizeof(struct ipv6hdr) > end)
		return -1;
	return bpf_tcp_gen_syncookie(listener, ip, sizeof(struct ipv6hdr), (void *)w->header, doff);
}

/* The kernel's cookie and MSS for a SYN, as bpf_tcp_gen_syncookie() has them;
 * negative: none. */
static __always_inline long cookie_of_listener(struct xdp_md *ctx, const struct packet *p,
					       struct syn_work *w)
{
	struct bpf_sock *found = find_tcp_socket(ctx, p, &w->tuple, 0);
	long cookie = -1;

	if (!found)
		return -1;
	if (found->state == BPF_TCP_LISTEN && ends_here(ctx, p, found, w))
		cookie = gen_cookie(ctx, p, found, w);
	bpf_sk_release(found);
	return cookie;
}

/* Keep in syn_works the answer to a SYN that the kernel has a cookie for, and
 * let the frame be long enough for it. 1: send_answer() may answer; 0: the SYN
 * passes. Global: verified by itself. */
__noinline int ask_cookie(struct xdp_md *ctx, struct packet *p)
{
	struct syn_work *w = this_syn_work();
	long cookie;
	__u32 mss, most;

	if (!ctx || !p || !w)
		return 0;
	if (!may_answer(p) || !are_hosts(p) || !locate_syn(ctx, p, w) || !verify_segment(ctx, p, w))
		return 0;
	cookie = cookie_of_listener(ctx, p, w);
	if (cookie < 0)
		return 0;
	w->mtu = 0;
	if (bpf_check_mtu(ctx, 0, &w->mtu, 0, 0) < 0)
		return 0;
	/* What the sender can take is what it is told that we can, as far as our MTU
	 * goes. */
	mss = cookie >> 32 & 0xffff;
	most = w->mtu - (w->l4 - w->l3) - sizeof(struct tcphdr);
	w->mss = mss < most ? mss : most;
	w->cookie = cookie;
	return make_room(ctx, p, w);
}

#endif
