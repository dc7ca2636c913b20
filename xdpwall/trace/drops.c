/* SPDX-License-Identifier: GPL-2.0-only */
/* Drops anywhere in the kernel, as BCC compiles it. bcc_source.py writes in front of it, as
 * macros: where members lie (SKB_..., from the kernel's BTF), which reasons are no drop, and
 * the filter. record.py reads struct record.
 *
 * The filters here only leave out what surely does not match: a flood of other packets must not
 * fill the ring. filters.py decides on the others.
 */

#define PACKET	   128 /* bytes, from the network header */
#define FRAMES	   48
#define NO_OFFSET  0xffff
#define PF_KTHREAD 0x00200000

struct record {
	u64 time; /* CLOCK_BOOTTIME ns */
	u64 where;
	u32 kind;   /* 0: a drop; 1: an XDP exception */
	u32 reason; /* or the XDP action */
	u32 cpu;
	u32 netns;
	u32 ifindex;
	u32 pid;
	u32 program;
	u32 length; /* skb->len */
	u16 protocol;
	u16 captured;
	u32 pad;
	char iface[16];
	char comm[16];
	u8 packet[PACKET];
#ifdef STACK
	u64 stack[FRAMES];
#endif
};

BPF_RINGBUF_OUTPUT(records, RING_PAGES);
BPF_PERCPU_ARRAY(scratch, struct record, 1);
BPF_ARRAY(lost, u64, 1);

static inline u64 pointer(u64 at, u32 offset)
{
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)(at + offset));
	return value;
}

static inline u32 word(u64 at, u32 offset)
{
	u32 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)(at + offset));
	return value;
}

static inline u16 half(u64 at, u32 offset)
{
	u16 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)(at + offset));
	return value;
}

static inline void read_device(struct record *r, u64 dev)
{
	r->ifindex = word(dev, DEV_IFINDEX);
	bpf_probe_read_kernel(r->iface, sizeof(r->iface), (void *)(dev + DEV_NAME));
	r->netns = word(pointer(dev, DEV_NET), NET_INUM);
}

static inline void read_process(struct record *r)
{
	u64 task = bpf_get_current_task();

	if (word(task, TASK_FLAGS) & PF_KTHREAD)
		return;
	r->pid = bpf_get_current_pid_tgid() >> 32;
	if (r->pid)
		bpf_get_current_comm(r->comm, sizeof(r->comm));
}

/* From the network header on. Before the stack has set it, it lies behind the Ethernet header, or
 * where the data begin. */
static inline void read_packet(struct record *r, u64 skb)
{
	u64 head = pointer(skb, SKB_HEAD);
	u64 begin = half(skb, SKB_NETWORK), mac = half(skb, SKB_MAC), end = word(skb, SKB_TAIL);
	u64 data = pointer(skb, SKB_DATA) - head, n;

	if (!begin || begin == NO_OFFSET || (begin == mac && r->protocol))
		begin = mac && mac != NO_OFFSET ? mac + 14 : data;
	n = end - begin;
	if (end <= begin)
		return;
	if (n > PACKET)
		n = PACKET;
	asm volatile("" : "+r"(n));
	if (n > PACKET)
		return;
	if (!bpf_probe_read_kernel(r->packet, n, (void *)(head + begin)))
		r->captured = n;
}

#ifdef BY_PACKET
static inline u32 word_of(const u8 *packet, u32 at)
{
	u32 value;

	__builtin_memcpy(&value, packet + at, 4);
	return value;
}

static inline bool other_address(const u8 *packet, u32 at, const u32 *address, const u32 *mask,
				 u32 words)
{
	u32 differs = 0;

#pragma unroll
	for (int i = 0; i < 4; i++)
		if (i < words)
			differs |= (word_of(packet, at + 4 * i) ^ address[i]) & mask[i];
	return differs;
}

/* Behind an extension header nothing is said about protocol and ports. */
static inline bool is_extension(u8 next)
{
	return next == 0 || next == 43 || next == 44 || next == 51 || next == 60 || next == 135 ||
	       next == 139 || next == 140;
}

static inline bool other_l4(const u8 *packet, u8 proto, u32 at, bool later)
{
	u32 port;

#ifdef WANT_PROTO
	if (proto != WANT_PROTO)
		return true;
#endif
#ifdef WANT_DPORT
	if (proto != 6 && proto != 17 && proto != 132)
		return true;
	port = packet[at + 2] << 8 | packet[at + 3];
	if (!later && port != WANT_DPORT)
		return true;
#endif
	return false;
}

static inline bool other_packet(const struct record *r)
{
	const u8 *p = r->packet;
	const u32 src[] = {WANT_SRC}, src_mask[] = {WANT_SRC_MASK};
	const u32 dst[] = {WANT_DST}, dst_mask[] = {WANT_DST_MASK};

	if (r->captured < 20)
		return true;
	if (p[0] >> 4 == 4)
		return !(WANT_FAMILIES & 1) || other_address(p, 12, src, src_mask, 1) ||
		       other_address(p, 16, dst, dst_mask, 1) ||
		       other_l4(p, p[9], (p[0] & 15) * 4, (p[6] & 0x1f) | p[7]);
	if (p[0] >> 4 != 6)
		return true;
	return !(WANT_FAMILIES & 2) || other_address(p, 8, src, src_mask, 4) ||
	       other_address(p, 24, dst, dst_mask, 4) ||
	       (!is_extension(p[6]) && other_l4(p, p[6], 40, false));
}
#endif

#ifdef WANT_IFACE
static inline bool other_iface(const struct record *r)
{
	const char wanted[16] = WANT_IFACE;

#pragma unroll
	for (int i = 0; i < 16; i++) {
		if (r->iface[i] != wanted[i])
			return true;
		if (!wanted[i])
			break;
	}
	return false;
}
#endif

static inline struct record *begin(void *ctx, u32 kind, u32 reason, u64 where)
{
	u32 zero = 0;
	struct record *r = scratch.lookup(&zero);

	if (!r)
		return NULL;
	__builtin_memset(r, 0, sizeof(*r));
	r->time = bpf_ktime_get_boot_ns();
	r->where = where;
	r->kind = kind;
	r->reason = reason;
	r->cpu = bpf_get_smp_processor_id();
	return r;
}

static inline void send(void *ctx, struct record *r)
{
	u32 zero = 0;
	u64 *missed;

	read_process(r);
#ifdef STACK
	bpf_get_stack(ctx, r->stack, sizeof(r->stack), 0);
#endif
	if (records.ringbuf_output(r, sizeof(*r), 0)) {
		missed = lost.lookup(&zero);
		if (missed)
			__sync_fetch_and_add(missed, 1);
	}
}

/* (skb, location, reason, ...) */
RAW_TRACEPOINT_PROBE(kfree_skb)
{
	u64 skb = ctx->args[0];
	u32 reason = ctx->args[2];
	struct record *r;
	u64 dev;

	if (NO_DROP(reason) || !WANT_REASON(reason))
		return 0;
	r = begin(ctx, 0, reason, ctx->args[1]);
	if (!r)
		return 0;
	r->protocol = half(skb, SKB_PROTOCOL);
	dev = pointer(skb, SKB_DEV);
	if (!dev && !r->protocol)
		return 0; /* no packet: a message between sockets */
	read_device(r, dev);
	if (!r->netns) {
		r->ifindex = word(skb, SKB_IIF);
		r->netns = word(pointer(pointer(skb, SKB_SK), SOCK_NET), NET_INUM);
		r->iface[0] = 0;
	}
	r->length = word(skb, SKB_LEN);
#ifdef WANT_IFACE
	if (other_iface(r))
		return 0;
#endif
	read_packet(r, skb);
#ifdef BY_PACKET
	if (other_packet(r))
		return 0;
#endif
	send(ctx, r);
	return 0;
}

/* (dev, program, action). Nothing of the packet is at hand. */
RAW_TRACEPOINT_PROBE(xdp_exception)
{
#if !defined(BY_PACKET) && !defined(BY_REASON)
	struct record *r = begin(ctx, 1, ctx->args[2], 0);

	if (!r)
		return 0;
	read_device(r, ctx->args[0]);
	r->program = word(pointer(ctx->args[1], PROG_AUX), AUX_ID);
#ifdef WANT_IFACE
	if (other_iface(r))
		return 0;
#endif
	send(ctx, r);
#endif
	return 0;
}
