/* SPDX-License-Identifier: GPL-2.0-only */
/* Ask the kernel for a socket of exactly a TCP packet's addresses and ports, so that connections of
 * this host that the flow table does not have are known all the same. */
#ifndef XDPWALL_FLOW_SOCKET_H
#define XDPWALL_FLOW_SOCKET_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "context.h"
#include "explain.h"
#include "flow_key.h"
#include "packet.h"

/* The states of struct bpf_sock, which are the kernel's own. */
#define IN_STATE(number) (1U << (number))
#define LISTENING	 IN_STATE(BPF_TCP_LISTEN)
#define PAST_HANDSHAKE                                                                             \
	(IN_STATE(BPF_TCP_ESTABLISHED) | IN_STATE(BPF_TCP_FIN_WAIT1) |                             \
	 IN_STATE(BPF_TCP_FIN_WAIT2) | IN_STATE(BPF_TCP_CLOSE_WAIT) | IN_STATE(BPF_TCP_LAST_ACK) | \
	 IN_STATE(BPF_TCP_CLOSING))

/* The tuple as a packet that arrives has it. Returns its size. */
static __always_inline __u32 write_tuple(const struct packet *p, struct bpf_sock_tuple *t)
{
	__u32 out = is_egress();

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

/* w->socket for a TCP packet; a listener is none. */
static __always_inline void ask_socket(struct xw_ctx *ctx, const struct packet *p,
				       struct flow_work *w)
{
	struct bpf_sock *socket;
	__u32 state;

	if (write_tuple(p, &w->tuple) == sizeof(w->tuple.ipv4))
		socket = bpf_skc_lookup_tcp(ctx, &w->tuple, sizeof(w->tuple.ipv4),
					    BPF_F_CURRENT_NETNS, 0);
	else
		socket = bpf_skc_lookup_tcp(ctx, &w->tuple, sizeof(w->tuple.ipv6),
					    BPF_F_CURRENT_NETNS, 0);
	w->socket = SOCKET_NONE;
	if (!socket)
		return;
	state = IN_STATE(socket->state & 31);
	if (state & PAST_HANDSHAKE)
		w->socket = SOCKET_PAST_HANDSHAKE;
	else if (!(state & LISTENING))
		w->socket = SOCKET_EARLY;
	bpf_sk_release(socket);
}

#endif
