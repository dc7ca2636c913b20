/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps of rates, and their constants in .rodata. All programs have them: user space finds by
 * the programs in place what has lost its pin. */
#ifndef XDPWALL_RATE_MAPS_H
#define XDPWALL_RATE_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi_rates.h"

const volatile __u32 rate_mask;	    /* rules' rates - 1 */
const volatile __u32 source_mask;   /* lines of sources - 1 */
const volatile __u64 source_factor; /* odd, secret: nobody can choose sources of one line */

/* By slot. Behind the last stands struct xw_rates_end. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, sizeof(struct xw_rate)); /* times rate_mask + 2 */
} rates SEC(".maps");

/* One element a CPU, as in `counters`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* CPUs */
	__uint(key_size, 4);
	__uint(value_size, sizeof(struct xw_limited)); /* times rate_mask + 1 */
} limited SEC(".maps");

/* A hash of lines, for the sources of all rules. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, sizeof(struct xw_source) * XW_SOURCE_PLACES); /* times source_mask + 1 */
} sources SEC(".maps");

#endif
