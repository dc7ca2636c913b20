/* SPDX-License-Identifier: GPL-2.0-only */
/* Find the state of a packet, once, when a rule asks for it or the packet is to be tracked. */
#ifndef XDPWALL_FLOW_STATE_H
#define XDPWALL_FLOW_STATE_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "flow_key.h"
#include "flow_quote.h"
#include "flow_socket.h"
#include "flow_table.h"
#include "packet.h"
#include "tcp_flags.h"

static __always_inline bool is_later(const struct packet *p)
{
	return p->fragment == XW_FRAG_LATER;
}

/* A SYN that opens: without ACK, RST and FIN. */
static __always_inline bool is_syn(const struct packet *p)
{
	return (p->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

static __always_inline bool is_icmp(const struct packet *p)
{
	return p->proto == (p->kind == XW_KIND_IP4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* Are addresses, protocol, ports and flags there, as far as the state depends on them? */
static __always_inline bool is_readable(const struct packet *p)
{
	if (p->kind > XW_KIND_IP6 || p->addresses_hidden || p->proto == XW_BYTE_HIDDEN)
		return false;
	if (p->proto == IPPROTO_TCP && !is_later(p) && p->flags == XW_BYTE_HIDDEN)
		return false;
	if (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP || p->proto == IPPROTO_SCTP)
		return p->ports == PORTS_READ;
	return !is_icmp(p) || p->icmp != XW_ICMP_HIDDEN;
}

/* What an ICMP message is by its type alone: a state, or 0 for an echo and an error to look at. */
static __always_inline __u32 icmp_state(const struct packet *p, bool *error)
{
	__u32 type = p->icmp >> 8;

	*error = true;
	if (p->kind == XW_KIND_IP4) {
		if (type == ICMP_ECHO || type == ICMP_ECHOREPLY)
			*error = false;
		else if (type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT)
			return XW_STATE_INVALID;
		else if (type != ICMP_DEST_UNREACH && type != ICMP_TIME_EXCEEDED &&
			 type != ICMP_PARAMETERPROB)
			return XW_STATE_UNTRACKED;
		return 0;
	}
	if (type == ICMPV6_ECHO_REQUEST || type == ICMPV6_ECHO_REPLY)
		*error = false;
	else if (type < ICMPV6_DEST_UNREACH || type > ICMPV6_PARAMPROB)
		return XW_STATE_UNTRACKED;
	return 0;
}

static __always_inline bool is_echo_reply(const struct packet *p)
{
	return p->icmp >> 8 == (p->kind == XW_KIND_IP4 ? ICMP_ECHOREPLY : ICMPV6_ECHO_REPLY);
}

/* The state of a packet that is one of the flow that was found. */
static __always_inline __u32 state_in_flow(const struct packet *p, struct flow_work *w)
{
	__u32 flags = w->ports_meta >> XW_FLOW_FLAGS & 0xff;
	__u32 fins = XW_FLOW_FIN0 | XW_FLOW_FIN1;
	bool over = flags & XW_FLOW_RESET || (flags & fins) == fins;

	if (over && p->proto == IPPROTO_TCP && !is_later(p) && is_syn(p)) {
		w->over = 1;
		return XW_STATE_NEW;
	}
	if (w->key.side != (flags & XW_FLOW_ORIGIN) || flags & XW_FLOW_REPLIED)
		return XW_STATE_ESTABLISHED;
	return XW_STATE_NEW;
}

/* The state of a packet that no live flow has. */
static __always_inline __u32 state_without_flow(struct xw_ctx *ctx, const struct packet *p,
						struct flow_work *w)
{
	if (p->proto == IPPROTO_TCP) {
		if (!is_later(p) && is_syn(p))
			return XW_STATE_NEW;
		ask_socket(ctx, p, w);
		return w->socket == SOCKET_NONE ? XW_STATE_INVALID : XW_STATE_ESTABLISHED;
	}
	if (is_icmp(p) && is_echo_reply(p))
		return XW_STATE_INVALID;
	return XW_STATE_NEW;
}

static __always_inline __u32 state_of(struct xw_ctx *ctx, const struct packet *p,
				      struct flow_work *w)
{
	struct endpoints e = {.src = p->src, .dst = p->dst};
	bool error;
	__u32 state;

	if (!is_readable(p))
		return XW_STATE_HIDDEN;
	w->now = bpf_jiffies64() >> flow_shift;
	w->key.proto = p->proto;
	if (is_icmp(p)) {
		state = icmp_state(p, &error);
		if (state)
			return state;
		if (error) {
			return is_later(p) ? XW_STATE_INVALID : XW_STATE_UNASKED;
		}
		if (!p->dport) /* the identifier was not read (note_echo()) */
			return XW_STATE_HIDDEN;
		e.echo = true;
		e.asker = is_echo_reply(p);
		e.sport = e.asker ? 0 : p->sport;
		e.dport = e.asker ? p->sport : 0;
	} else if (p->kind == XW_KIND_IP4 && p->proto == IPPROTO_IGMP) {
		return XW_STATE_UNTRACKED;
	} else if (p->ports == PORTS_READ) {
		e.sport = p->sport;
		e.dport = p->dport;
	}
	if (!write_key(ctx, p, &w->key, &e))
		return XW_STATE_INVALID;
	w->has_key = 1;
	if (p->kind == XW_KIND_IP4)
		find_flow(w, true);
	else
		find_flow(w, false);
	return w->place ? state_in_flow(p, w) : state_without_flow(ctx, p, w);
}

/* Write p->state; 0: what the ICMP error quotes decides (find_related()). */
static __always_inline void note_state_of(struct xw_ctx *ctx, struct packet *p, struct flow_work *w)
{
	w->has_key = w->place = w->socket = w->over = 0;
	p->state = state_of(ctx, p, w);
	count_invalid(p);
}

#endif
