// SPDX-License-Identifier: Apache-2.0 OR MIT
/* The baselines: a program that only drops, and one that does the least that any filter with
 * counters must: find the addresses and ports, count on this CPU, drop. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct count {
	__u64 packets;
	__u64 bytes;
	__u64 fields; /* keeps the compiler from removing the reads */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct count);
} counts SEC(".maps");

/* Returns 0 where the frame is too short for the fields it should have. */
static __always_inline int parse(void *data, void *end, __u64 *fields)
{
	struct ethhdr *eth = data;
	__u32 *ports, *words;

	if ((void *)(eth + 1) > end)
		return 0;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = (void *)(eth + 1);

		if ((void *)(ip + 1) > end || ip->ihl < 5)
			return 0;
		*fields = (__u64)ip->saddr << 32 | ip->daddr;
		*fields += ip->protocol;
		ports = (void *)ip + ip->ihl * 4;
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = (void *)(eth + 1);

		if ((void *)(ip + 1) > end)
			return 0;
		words = (void *)&ip->saddr;
		*fields = ip->nexthdr;
		for (int i = 0; i < 8; i++)
			*fields = *fields * 31 + words[i];
		ports = (void *)(ip + 1);
	} else {
		return 0;
	}
	if ((void *)(ports + 1) > end)
		return 0;
	*fields += *ports;
	return 1;
}

static __always_inline int parse_and_count(void *data, void *end)
{
	__u32 zero = 0;
	__u64 fields;
	struct count *count;

	if (!parse(data, end, &fields))
		return 0;
	count = bpf_map_lookup_elem(&counts, &zero);
	if (!count)
		return 0;
	count->packets++;
	count->bytes += end - data;
	count->fields ^= fields;
	return 1;
}

SEC("xdp")
int baseline_xdp_drop(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("xdp")
int baseline_xdp_parse(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	return parse_and_count(data, end) ? XDP_DROP : XDP_PASS;
}

SEC("tc")
int baseline_tc_drop(struct __sk_buff *ctx)
{
	return TC_ACT_SHOT;
}

SEC("tc")
int baseline_tc_parse(struct __sk_buff *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	return parse_and_count(data, end) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
