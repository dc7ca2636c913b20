/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps, and what is fixed when a program is loaded. Sizes of 1 are set by the loader. */
#ifndef XDPWALL_MAPS_H
#define XDPWALL_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"

const volatile __u32 number;	    /* of this attachment */
const volatile __u32 egress;	    /* its direction */
const volatile __u32 features;	    /* enum xw_feature */
const volatile __u32 positions;	    /* rules per generation, a power of two from 64 */
const volatile __u32 segment_words; /* 1, from 8192 positions on 4 */
const volatile __u32 row_mask;	    /* rows per generation - 1, a power of two - 1 */
const volatile __u32 row_bytes;	    /* of a struct xw_row, or of what stands for it */
const volatile __u32 packed;	    /* a row is a struct xw_row */
const volatile __u32 whole_mask;    /* whole rows per generation - 1, likewise */
const volatile __u32 block_mask;    /* blocks per generation - 1, likewise */
const volatile __u32 leaf_mask;	    /* leaves per generation - 1, likewise */
const volatile __u32 leaf4_mask;
const volatile __u32 class_mask;  /* classes that the generation knows - 1, likewise */
const volatile __u32 bucket_mask; /* buckets of set4 - 1, likewise */

/* Shared by every program of the instance for as long as it lives. */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XW_CONTROL_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} control SEC(".maps");

/* An element for each CPU. Not a per-CPU array, which leads each packet by a pointer in a cache
 * line of its own to the counter in another one. Here and below, what a packet has just found its
 * number of lies in an element as large as a map: a key goes through the stack, and waits for that.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* CPUs */
	__uint(key_size, 4);
	__uint(value_size, XW_SLOTS * sizeof(struct xw_count));
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, XW_ATTACHMENTS);
	__type(key, __u32);
	__type(value, struct xw_totals);
} totals SEC(".maps");

/* What the first fragment of a datagram said, for the later ones. */
struct datagram {
	__u32 src[4];
	__u32 dst[4];
	__u32 id;
	__u32 proto; /* IPv4's; 256 for IPv6, whose key has none */
};

struct first_fragment {
	__u64 seen;
	__u32 icmp;
	__u16 proto;
	__u16 flags;
	__u16 sport;
	__u16 dport;
	__u32 ports;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, XW_FRAGMENTS);
	__type(key, struct datagram);
	__type(value, struct first_fragment);
} fragments SEC(".maps");

/* Two generations each; replaced by bigger ones when a ruleset outgrows them. */

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

/* One a generation: a byte of the key for the generation would cost every lookup a trie node. */
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

/* The sets. Addresses in network order. */

/* A hash of addresses whose buckets are a cache line each, so that a packet waits for one line and
 * calls no helper. See xdpwall/addresstable.py for how it is written while packets look. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, sizeof(struct xw_bucket)); /* times bucket_mask + 1 */
} set4 SEC(".maps");

/* The addresses that found their buckets full. */
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
