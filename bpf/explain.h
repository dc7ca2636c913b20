/* SPDX-License-Identifier: GPL-2.0-only */
/* The explaining programs: the same code on the same maps, compiled with XW_EXPLAIN, for test-runs
 * only. They count nothing, report nothing and keep no fragment; they take the attachment, and what
 * a test-run cannot say, from the map `question`, and say in `answer` which rules matched. Objects
 * of their own, and not a constant in .rodata: the verifier would leave its loads in the path of
 * packets.
 *
 * Both kinds of program have the functions below; in an attached one they are a constant or
 * nothing.
 */
#ifndef XDPWALL_EXPLAIN_H
#define XDPWALL_EXPLAIN_H

#include <stddef.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#include "abi_explain.h"
#include "maps.h"
#include "packet.h"

#ifdef XW_EXPLAIN

#define EXPLAINING 1

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xw_question);
} question SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xw_answer);
} answer SEC(".maps");

static __always_inline const struct xw_question *asked(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&question, &zero);
}

static __always_inline __u32 attachment_number(const struct packet *p)
{
	const struct xw_question *q = asked();

	return q ? q->number : 0;
}

static __always_inline __u32 is_egress(void)
{
	const struct xw_question *q = asked();

	return q ? q->egress : 0;
}

/* The frame's length, where it is not that of the run. */
static __always_inline __u32 asked_length(__u32 length)
{
	const struct xw_question *q = asked();

	return q && q->length ? q->length : length;
}

/* The datagram's first fragment, if that was told; NULL: the fragment memory has it, or none. */
static __always_inline const struct xw_first_fragment *asked_first_fragment(void)
{
	const struct xw_question *q = asked();

	return q && q->first_known ? &q->first : NULL;
}

/* A rule that matches. */
static __always_inline int note_rule(__u32 rule)
{
	__u32 zero = 0, n;
	struct xw_answer *a = bpf_map_lookup_elem(&answer, &zero);

	if (!a)
		return 0;
	n = a->matched;
	if (n >= XW_ANSWER_RULES)
		return 0;
	a->rules[n] = rule;
	a->matched = n + 1;
	return 0;
}

#else

#define EXPLAINING 0

/* A constant, but in a program that is shared. */
static __always_inline __u32 attachment_number(const struct packet *p)
{
#ifdef XW_SHARED_PROGRAM
	return p->number;
#else
	return number;
#endif
}

static __always_inline __u32 is_egress(void)
{
	return egress;
}

static __always_inline __u32 asked_length(__u32 length)
{
	return length;
}

static __always_inline const struct xw_first_fragment *asked_first_fragment(void)
{
	return NULL;
}

static __always_inline int note_rule(__u32 rule)
{
	return 0;
}

#endif

#endif
