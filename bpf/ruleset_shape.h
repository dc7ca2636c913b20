/* SPDX-License-Identifier: GPL-2.0-only */
/* The shape of a ruleset: the features it uses and the layout of its rows.
 *
 * The constants in .rodata (maps.h) are known at load time: the verifier removes the branches of
 * unused features, but neither the loads before them nor the spills that clang made for them, which
 * are a sixth of a packet's time. So classify_by_rules() is inlined once for each common shape
 * (kinds.h), with constants known to clang, and once for all others with those of .rodata. The
 * verifier keeps one of them.
 */
#ifndef XDPWALL_RULESET_SHAPE_H
#define XDPWALL_RULESET_SHAPE_H

#include <stdbool.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#include "maps.h"

/* Has this object the code for rates (rates.h)? */
#if defined(XW_RATED) || defined(XW_EXPLAIN)
#define RATED 1
#else
#define RATED 0
#endif

/* And for flows (flow.h)? */
#ifdef XW_FLOWS_COMPILED
#define WITH_FLOWS 1
#else
#define WITH_FLOWS 0
#endif

/* With both there is so much code that the classifier is a global function, verified by itself. */
#define GLOBAL_CLASSIFIER (RATED && WITH_FLOWS)

/* Is the state asked for behind the classifier (go_on_with_state()), and not in each kind's code?
 */
#define ASKING_ONCE (WITH_FLOWS && !GLOBAL_CLASSIFIER)

struct shape {
	__u32 features; /* enum xw_feature */
	__u32 positions;
	__u32 segment_words;
	__u32 row_bytes;
	bool packed;
	bool known; /* false: the constants of .rodata hold instead */
};

/* Not zero: the ruleset uses some of these features. */
static __always_inline __u32 has_feature(const struct shape s, const __u32 some)
{
	return (s.known ? s.features : features) & some;
}

/* May rules have a rate? */
static __always_inline bool has_rates(const struct shape s)
{
	return RATED && has_feature(s, XW_RATES);
}

static __always_inline __u32 position_count(const struct shape s)
{
	return s.known ? s.positions : positions;
}

/* Are rows of one word, without a summary? */
static __always_inline bool is_one_word(const struct shape s)
{
	return position_count(s) == 64;
}

/* Is a row a struct xw_row? */
static __always_inline bool is_packed(const struct shape s)
{
	return s.known ? s.packed : packed;
}

static __always_inline __u32 words_per_segment(const struct shape s)
{
	return s.known ? s.segment_words : segment_words;
}

static __always_inline __u32 row_size(const struct shape s)
{
	return s.known ? s.row_bytes : row_bytes;
}

#endif
