/* SPDX-License-Identifier: GPL-2.0-only */
/* Ask the kernel for a socket of exactly a TCP packet's addresses and ports, so
 * that connections of this host that the flow table does not have are known all
 * the same. */
#ifndef XDPWALL_FLOW_SOCKET_H
#define XDPWALL_FLOW_SOCKET_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "context.h"
#include "explain.h"
#include "flow_key.h"
#include "packet.h"
#include "tcp_socket.h"

/* The states of struct bpf_sock, which are the kernel's own. */
#define IN_STATE(number) (1U << (number))
#define LISTENING	 IN_STATE(BPF_TCP_LISTEN)
#define PAST_HANDSHAKE                                                                             \
	(IN_STATE(BPF_TCP_ESTABLISHED) | IN_STATE(BPF_TCP_FIN_WAIT1) |                             \
	 IN_STATE(BPF_TCP_FIN_WAIT2) | IN_STATE(BPF_TCP_CLOSE_WAIT) | IN_STATE(BPF_TCP_LAST_ACK) | \
	 IN_STATE(BPF_TCP_CLOSING))

/* w->socket for a TCP packet; a listener is none. */
static __always_inline void ask_socket(struct xw_ctx *ctx, const struct packet *p,
				       struct flow_work *w)
{
	struct bpf_sock *socket = find_tcp_socket(ctx, p, &w->tuple, is_egress());
	__u32 state;

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
