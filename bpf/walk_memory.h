/* SPDX-License-Identifier: GPL-2.0-only */
/* The walk over matching rules as it stands (walk.h), and where that is kept. */
#ifndef XDPWALL_WALK_MEMORY_H
#define XDPWALL_WALK_MEMORY_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "flow.h"
#include "packet.h"
#include "rows.h"
#include "ruleset_shape.h"

/* The state of the walk. Rows by number, as pointers cannot be handed to a global function. All
 * that changes from step to step is here and not on the callback's stack: the verifier tracks no
 * values in this memory, so one step looks to it like any other. */
struct walk {
	__u32 rows[GROUPS];
	__u32 copy;
	__u64 rules_left;    /* bits of word `index` */
	__u64 segments_left; /* bits of candidate_segments() */
	__u32 words_left;    /* bits of candidate_words() of `segment` */
	__u32 segment;
	__u32 index;
	__s32 decision;
#if WITH_FLOWS
	__u32 state_row; /* of all rules, while the state is not known */
	struct steady_flow flow;
#endif
#if RATED
	__u32 rated; /* the rule with a rate that walk_step() left */
#endif
};

#if WITH_FLOWS

/* One a program and CPU, as flow_works. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} walks SEC(".maps");

/* Where the walk of a packet is kept, if on no stack: flows leave no room there, and a packet whose
 * state is needed goes on in another place (go_on_with_state()). */
static __always_inline struct walk *this_walk(void)
{
	__u32 zero = 0;
	struct walk *there = bpf_map_lookup_elem(&walks, &zero);

	if (there)
		there->flow.place = 0;
	return there;
}

/* keep_flow(), of a packet whose flow is found here. */
static __always_inline void keep_steady(struct packet *p, int decision, struct walk *there,
					__u32 copy)
{
	if (there)
		pass_steady(p, decision, copy, &there->flow);
}

static __always_inline struct walk *start_walk(struct walk *start, struct walk *there)
{
	if (there)
		*there = *start;
	return there;
}

#else

static __always_inline struct walk *this_walk(void)
{
	return NULL;
}

static __always_inline void keep_steady(struct packet *p, int decision, struct walk *there,
					__u32 copy)
{
}

static __always_inline struct walk *start_walk(struct walk *start, struct walk *there)
{
	return start;
}

#endif

#endif
