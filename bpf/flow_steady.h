/* SPDX-License-Identifier: GPL-2.0-only */
/* Most packets are of a flow that is established, and change nothing of it but its deadline and its
 * count of packets. The flow of such a packet is found here without a call (a return costs some
 * 10 ns where the CPU may not predict it: spec_rstack_overflow), and with one wait for memory and
 * not two: a flow stands at a place that its key gives, its home, or beside it if it found room
 * there, so that the index word and the flow are loaded at once. All others are for find_state().
 */
#ifndef XDPWALL_FLOW_STEADY_H
#define XDPWALL_FLOW_STEADY_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>

#include "abi_flows.h"
#include "explain.h"
#include "flow_key.h"
#include "flow_maps.h"
#include "flow_table.h"
#include "packet.h"
#include "tcp_flags.h"

/* In `ports_meta`: what a key gives. */
#define KEY_META (0xffffffffULL << XW_FLOW_PORT1 | 0xff)

/* The flags of a TCP flow that no packet without SYN, RST and FIN changes; among which. */
#define STEADY_TCP    (XW_FLOW_REPLIED | XW_FLOW_ASSURED)
#define STEADY_TCP_OF (STEADY_TCP | XW_FLOW_RESET | XW_FLOW_FIN0 | XW_FLOW_FIN1)

#define NOWHERE (-1ULL)

/* What the flow of a steady packet has, beside its addresses: `meta` of the bits `of`. */
struct steady {
	__u64 of;
	__u64 meta;
	__u32 now; /* ticks */
	__u32 deadline;
};

/* The flow of a steady packet. In struct walk, as there is no room on the stack. */
struct steady_flow {
	__u32 place;	/* + 1; 0: not found */
	__u32 word;	/* of the index, as it was then */
	__u32 deadline; /* that the packet moves it to */
};

/* 1 if any bit is set. */
static __always_inline __u64 is_any(__u64 bits)
{
	return (bits | -bits) >> 63;
}

/* Is one of two words, side by side, of this tag? Without asking which, as nobody can predict it.
 */
static __always_inline bool has_tag(__u64 pair, __u32 tag)
{
	return tagged_pair(pair, (__u64)tag << 48 | (__u64)tag << 16);
}

/* The place of the half bucket around a flow's home whose word has its tag, or NOWHERE. */
static __always_inline __u64 place_by_tag(const struct flow_key *k, const __u32 *words, __u64 home)
{
	__u64 first = bounded_place(home & ~(HALF - 1ULL));
	__u64 found = tagged_words((const __u64 *)(words + first), k->tag);

	return found ? first + place_of_bit(lowest_bit(found)) : NOWHERE;
}

/* Is the flow live, not being written, and one that the packet is steady in? `before` and `word`:
 * the index word before and after its key was compared. */
static __always_inline bool is_steady_in(const struct flow_key *k, const struct steady *s,
					 const struct xw_flow_rest *rest, __u32 before,
					 const __u32 *word)
{
	return (*(volatile const __u64 *)&rest->ports_meta & s->of) == s->meta && !rest->zone &&
	       (__s32)(rest->deadline - s->now) >= 0 && before >> 16 == k->tag &&
	       ticks_left(before, s->now) >= 0 && *(volatile const __u32 *)word == before;
}

/* 0: these addresses and `ports_meta` are the key's. */
static __always_inline __u64 unlike(const struct flow_key *k, const struct steady *s,
				    const __u64 *addresses, const struct xw_flow_rest *rest,
				    const bool v4)
{
	__u64 bits = (addresses[0] ^ k->addresses[0]) | ((rest->ports_meta ^ s->meta) & KEY_META);

	if (v4)
		return bits;
	return bits | (addresses[1] ^ k->addresses[1]) | (addresses[2] ^ k->addresses[2]) |
	       (addresses[3] ^ k->addresses[3]);
}

static __always_inline __u64 unlike_at(const struct flow_key *k, const struct steady *s,
				       const struct xw_flow4 *four, const struct xw_flow6 *six,
				       __u64 place, const bool v4)
{
	if (v4)
		return unlike(k, s, &four[place].addresses, &four[place].rest, true);
	return unlike(k, s, six[place].addresses, &six[place].rest, false);
}

/* Look at a flow's home and beside it, else for its tag, and note where it is. Which of the first
 * two is computed and not branched to, as nobody can predict it. */
static __always_inline void find_at_home(const struct flow_key *k, const struct steady *s,
					 struct steady_flow *found, const bool v4)
{
	const __u32 *words = flow_words(v4);
	const struct xw_flow4 *four = v4 ? all_flows4() : NULL;
	const struct xw_flow6 *six = v4 ? NULL : all_flows6();
	__u64 place = bounded_place(first_place(k) + home_of(k)), pair, held;

	if (!words || (v4 ? !four : !six))
		return;
	/* As in flow_rest(): Linux 6.1. */
	barrier_var(words);
	if (v4)
		barrier_var(four);
	else
		barrier_var(six);
	pair = place >> 1;
	barrier_var(pair);
	held = ((volatile const __u64 *)words)[pair];
	if (has_tag(held, k->tag)) {
		place ^= is_any(unlike_at(k, s, four, six, place, v4));
		held >>= 32 * (place & 1);
	} else {
		place = place_by_tag(k, words, place);
		if (place == NOWHERE)
			return;
		held = *(volatile const __u32 *)(words + bounded_place(place));
	}
	place = bounded_place(place);
	if (unlike_at(k, s, four, six, place, v4))
		return;
	if (!is_steady_in(k, s, v4 ? &four[place].rest : &six[place].rest, held, words + place))
		return;
	found->word = held;
	found->deadline = s->deadline;
	found->place = place + 1;
}

/* Write the key's protocol, and what its flow has if a packet like this one is steady. False: no
 * packet like this one is. */
static __always_inline bool may_be_steady(const struct packet *p, __u32 copy, struct flow_key *k,
					  struct steady *s)
{
	const struct xw_timeouts *timeouts = bpf_map_lookup_elem(&flow_timeouts, &copy);

	if (p->ports != PORTS_READ || p->fragment || !timeouts)
		return false;
	k->proto = p->proto;
	s->now = bpf_jiffies64() >> flow_shift;
	if (p->proto == IPPROTO_TCP) {
		if (p->flags & (TCP_SYN | TCP_RST | TCP_FIN | XW_BYTE_HIDDEN))
			return false;
		s->of = KEY_META | STEADY_TCP_OF << XW_FLOW_FLAGS;
		s->meta = IPPROTO_TCP | STEADY_TCP << XW_FLOW_FLAGS;
		s->deadline = s->now + timeouts->ticks[XW_TIMEOUT_TCP];
		return true;
	}
	if (p->proto == IPPROTO_UDP) {
		s->of = KEY_META | XW_FLOW_REPLIED << XW_FLOW_FLAGS;
		s->meta = IPPROTO_UDP | XW_FLOW_REPLIED << XW_FLOW_FLAGS;
		s->deadline = s->now + timeouts->ticks[XW_TIMEOUT_UDP_REPLIED];
		return true;
	}
	return false;
}

/* Find the flow of a steady packet, and write p->state. False: find_state() must be asked. */
static __always_inline bool find_steady(struct packet *p, __u32 copy, struct steady_flow *found)
{
	struct endpoints e = {.src = p->src, .dst = p->dst, .sport = p->sport, .dport = p->dport};
	struct flow_key k;
	struct steady s;

	if (EXPLAINING || !may_be_steady(p, copy, &k, &s))
		return false;
	if (p->kind == XW_KIND_IP4) {
		if (is_link_local4(p->src[0]) || is_link_local4(p->dst[0]) ||
		    !write_key4(&k, &e, 0))
			return false;
		s.meta |= (__u64)k.ports << XW_FLOW_PORT1;
		find_at_home(&k, &s, found, true);
	} else {
		if (is_link_local6(p->src) || is_link_local6(p->dst) || !write_key6(&k, &e, 0))
			return false;
		s.meta |= (__u64)k.ports << XW_FLOW_PORT1;
		find_at_home(&k, &s, found, false);
	}
	if (!found->place)
		return false;
	p->state = XW_STATE_ESTABLISHED;
	return true;
}

/* Move the deadline of a steady packet's flow: once a tick there is something to do. If the word is
 * no longer what it was, another packet has done so, or the flow is gone. */
static __always_inline void move_steady(const struct steady_flow *found, struct xw_flow_rest *rest,
					const bool v4)
{
	__u32 *words, word = (found->word & 0xffff0000) | (found->deadline & 0xffff);
	__u64 place = bounded_place(found->place - 1);

	if (rest->deadline == found->deadline)
		return;
	words = flow_words(v4);
	if (!words)
		return;
	barrier_var(words);
	if (__sync_val_compare_and_swap(&words[place], found->word, word) == found->word)
		rest->deadline = found->deadline;
}

static __always_inline void count_and_move(const struct packet *p, const struct steady_flow *found,
					   const bool v4)
{
	struct xw_flow_rest *rest = flow_rest(found->place - 1, v4);

	if (!rest)
		return;
	rest->packets += p->packets; /* not atomic, which would cost a third of all this */
	move_steady(found, rest, v4);
}

/* A packet passes, if `decision` is 0: if it is steady, all is done here that is to be done. */
static __always_inline void pass_steady(struct packet *p, int decision, __u32 copy,
					struct steady_flow *found)
{
	if (decision)
		return;
	if (p->keep && !p->state)
		find_steady(p, copy, found);
	if (!found->place)
		return;
	if (p->kind == XW_KIND_IP4)
		count_and_move(p, found, true);
	else
		count_and_move(p, found, false);
	p->keep = KEPT;
}

#endif
