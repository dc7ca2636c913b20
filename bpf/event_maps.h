/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps of packet events, shared by all programs of the instance. */
#ifndef XDPWALL_EVENT_MAPS_H
#define XDPWALL_EVENT_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, XW_EVENT_RING);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xw_event_settings);
} event_settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xw_event_counts);
} event_counts SEC(".maps");

/* A record is put together here: bpf_ringbuf_reserve() wants a constant size, and 512 bytes of
 * stack are too few. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xw_event);
} event_scratch SEC(".maps");

/* Indexed by slot % XW_EVENT_LIMITS; the last element is the policy's. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, XW_EVENT_LIMITS + 1);
	__type(key, __u32);
	__type(value, struct xw_event_limit);
} event_limits SEC(".maps");

#endif
