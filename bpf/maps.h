/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps, and constants in .rodata that the loader sets, as it does sizes that are 1 here. */
#ifndef XDPWALL_MAPS_H
#define XDPWALL_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "flow_maps.h"

const volatile __u32 number;	    /* of this attachment, or XW_SHARED */
const volatile __u32 egress;	    /* its direction */
const volatile __u32 features;	    /* enum xw_feature */
const volatile __u32 positions;	    /* rules per generation, a power of two from 64 */
const volatile __u32 segment_words; /* 1, from 8192 positions on 4 */
const volatile __u32 row_mask;	    /* rows in a generation - 1; all masks are a power of two - 1 */
const volatile __u32 row_bytes;	    /* of a packed row (struct xw_row) or a plain one */
const volatile __u32 packed;	    /* rows are struct xw_row */
const volatile __u32 whole_mask;    /* whole rows in a generation - 1 */
const volatile __u32 block_mask;    /* blocks in a generation - 1 */
const volatile __u32 leaf_mask;	    /* IPv6 leaves in a generation - 1 */
const volatile __u32 leaf4_mask;    /* IPv4 leaves in a generation - 1 */
const volatile __u32 class_mask;    /* set classes in a generation - 1 */
const volatile __u32 bucket_mask;   /* buckets of set4 - 1 */
const volatile __u64 hash_factor;   /* of set4, secret: nobody can choose addresses of one bucket */

/* Shared by all programs of the instance, as long as it lives. */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XW_CONTROL_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} control SEC(".maps");

/* One element a CPU. Not a per-CPU array, whose lookup loads a pointer from one more cache line.
 * Here and below, arrays that a packet indexes are one large element and not many small ones: a
 * lookup stores its key on the stack, and has to wait for the index first. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* CPUs */
	__uint(key_size, 4);
	__uint(value_size, XW_SLOTS * sizeof(struct xw_count));
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, XW_NUMBERS);
	__type(key, __u32);
	__type(value, struct xw_totals);
} totals SEC(".maps");

/* The numbers of the attachments of shared programs (XW_SHARED). One that is not listed is on an
 * interface that was moved to another network namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * XW_MEMBERS); /* as many may be made while others have not gone */
	__type(key, __u32);
	__type(value, __u32);
} numbers SEC(".maps");

/* L4 fields of first fragments, by datagram (fragment.h). */
struct datagram {
	__u32 src[4];
	__u32 dst[4];
	__u32 id;
	__u32 proto; /* IPv4's; 256 for IPv6, whose key has none */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, XW_FRAGMENTS);
	__type(key, struct datagram);
	__type(value, struct xw_first_fragment);
} fragments SEC(".maps");

/* Maps of rulesets: an element for each of two generations (or a map, of tries). Replaced by larger
 * maps when a ruleset outgrows them. */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct xw_tables);
} tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 1024); /* (block_mask + 1) * 256 * u32 */
} blocks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 16); /* (row_mask + 1) * row_bytes */
} rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 8); /* (whole_mask + 1) * positions / 8 */
} whole_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 8); /* positions * u32, XW_RULE_... */
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 8); /* positions * u64, CLOCK_BOOTTIME ns */
} expiries SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, sizeof(struct xw_leaf)); /* times leaf_mask + 1 */
} leaves SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, sizeof(struct xw_leaf4)); /* times leaf4_mask + 1 */
} leaves4 SEC(".maps");

struct prefix_trie {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct xw_prefix6);
	__type(value, __u32);
};

/* One map a generation: as a byte of the key it would cost every lookup a node of the trie. */
struct prefix_trie src6_0 SEC(".maps");
struct prefix_trie src6_1 SEC(".maps");
struct prefix_trie dst6_0 SEC(".maps");
struct prefix_trie dst6_1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, sizeof(struct xw_class_rows)); /* times class_mask + 1 */
} class_rows SEC(".maps");

/* Maps of sets, shared by both generations. Addresses are in network byte order. */

/* A hash of IPv4 addresses. A bucket is a cache line, so a lookup costs one miss and no helper
 * call. xdpwall/dataplane/set_hash4.py says how it is changed while packets read it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, sizeof(struct xw_bucket)); /* times bucket_mask + 2 */
} set4 SEC(".maps");

/* Addresses whose buckets were full. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32); /* class */
} set4_rest SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__uint(key_size, 16);
	__type(value, __u32);
} set6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct xw_prefix4);
	__type(value, struct xw_set_prefix);
} set4_prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct xw_prefix6);
	__type(value, struct xw_set_prefix);
} set6_prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* XW_CLASSES */
	__type(key, __u32);
	__type(value, struct xw_class);
} classes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* XW_OCCUPIED_... */
	__type(key, __u32);
	__type(value, __u64);
} occupied SEC(".maps");

#endif
