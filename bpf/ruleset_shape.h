/* SPDX-License-Identifier: GPL-2.0-only */
/* What is known of a ruleset when the classifier is compiled, or else when it is loaded.
 *
 * The verifier takes the branches of what is switched off (`features`) out of a program, but leaves
 * what led to them behind, and clang had to keep registers for them: a sixth of the time of a
 * packet. So by_rules() is inlined once for each of the most common kinds of rulesets
 * (kinds.h), with constants that clang sees, and once for all others; of these the verifier leaves
 * one.
 */
#ifndef XDPWALL_RULESET_SHAPE_H
#define XDPWALL_RULESET_SHAPE_H

#include <stdbool.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#include "maps.h"

struct shape {
	__u32 features; /* enum xw_feature */
	__u32 positions;
	__u32 segment_words;
	__u32 row_bytes;
	bool packed;
	bool known; /* or else each is what the program was loaded with */
};

/* Those of `some` features that are used. */
static __always_inline __u32 with(const struct shape s, const __u32 some)
{
	return (s.known ? s.features : features) & some;
}

static __always_inline __u32 positions_of(const struct shape s)
{
	return s.known ? s.positions : positions;
}

static __always_inline bool one_word(const struct shape s)
{
	return positions_of(s) == 64;
}

static __always_inline bool is_packed(const struct shape s)
{
	return s.known ? s.packed : packed;
}

static __always_inline __u32 words_in_segment(const struct shape s)
{
	return s.known ? s.segment_words : segment_words;
}

static __always_inline __u32 size_of_row(const struct shape s)
{
	return s.known ? s.row_bytes : row_bytes;
}

#endif
