/* SPDX-License-Identifier: GPL-2.0-only */
/* Ask the kernel for a socket of a TCP packet's addresses and ports. */
#ifndef XDPWALL_TCP_SOCKET_H
#define XDPWALL_TCP_SOCKET_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "context.h"
#include "packet.h"

/* The tuple as a packet that arrives has it; `out`: this one leaves. Returns
 * its size. */
static __always_inline __u32 write_tuple(const struct packet *p, struct bpf_sock_tuple *t,
					 const __u32 out)
{
	if (p->kind == XW_KIND_IP4) {
		t->ipv4.saddr = out ? p->dst[0] : p->src[0];
		t->ipv4.daddr = out ? p->src[0] : p->dst[0];
		t->ipv4.sport = bpf_htons(out ? p->dport : p->sport);
		t->ipv4.dport = bpf_htons(out ? p->sport : p->dport);
		return sizeof(t->ipv4);
	}
	__builtin_memcpy(t->ipv6.saddr, out ? p->dst : p->src, 16);
	__builtin_memcpy(t->ipv6.daddr, out ? p->src : p->dst, 16);
	t->ipv6.sport = bpf_htons(out ? p->dport : p->sport);
	t->ipv6.dport = bpf_htons(out ? p->sport : p->dport);
	return sizeof(t->ipv6);
}

/* The socket, a listener too, or NULL; the caller releases it. The size of a
 * tuple is a constant to the verifier. */
static __always_inline struct bpf_sock *find_tcp_socket(void *ctx, const struct packet *p,
							struct bpf_sock_tuple *t, const __u32 out)
{
	if (write_tuple(p, t, out) == sizeof(t->ipv4))
		return bpf_skc_lookup_tcp(ctx, t, sizeof(t->ipv4), BPF_F_CURRENT_NETNS, 0);
	return bpf_skc_lookup_tcp(ctx, t, sizeof(t->ipv6), BPF_F_CURRENT_NETNS, 0);
}

#endif
