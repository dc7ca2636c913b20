/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps of flows, and the constants that go with them. In every object, as maps are made from
 * one; programs without XW_FLOWS_COMPILED use none of them. */
#ifndef XDPWALL_FLOW_MAPS_H
#define XDPWALL_FLOW_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi_flows.h"

const volatile __u32 flow_mask;	  /* buckets of a family - 1 */
const volatile __u32 flow_shift;  /* jiffies >> flow_shift is about a second: a tick */
const volatile __u64 flow_key[2]; /* of the hash, secret: nobody can choose flows of one bucket */

/* Behind the buckets: the hash key, two u64, and XW_FLOW_LAYOUT. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 64); /* times flow_mask + 2 */
} flow_index4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 64); /* times flow_mask + 2 */
} flow_index6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, XW_FLOW_BUCKET * sizeof(struct xw_flow4)); /* times flow_mask + 1 */
} flows4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, XW_FLOW_BUCKET * sizeof(struct xw_flow6)); /* times flow_mask + 1 */
} flows6 SEC(".maps");

/* By generation. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct xw_timeouts);
} flow_timeouts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xw_flow_counts);
} flow_counts SEC(".maps");

#endif
