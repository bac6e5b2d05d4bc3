// SPDX-License-Identifier: Apache-2.0
//
// VIP lookup: gives connections to whole prefixes and ranges of ports to listening sockets that are bound elsewhere. It runs in a network
// namespace whenever the kernel looks for a listening socket, before the kernel's own search.
//
//  1. The destination address finds its longest prefix. What a prefix has includes what wider ones have and it has not itself, so no
//     second search is needed.
//  2. Its list of port ranges, which do not overlap, is searched by halves.
//  3. The range names a target: a socket, or to leave the packet to the kernel's search, or to refuse it.
//
// Without a range that fits, the program says nothing and the kernel searches as ever.

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2
#define AF_INET6 10

#define PASS 0xfffffffeU // targets that are no sockets: PassTarget and RefuseTarget
#define REFUSE 0xffffffffU

// The ranges of a prefix: where they begin in the table of all, and how many there are.
struct span {
	__u32 first;
	__u32 count;
};

struct range {
	__u16 low;
	__u16 high;
	__u32 target;
};

struct key4 {
	__u32 bits;
	__u32 address; // network byte order
};

struct key6 {
	__u32 bits;
	__u32 address[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1); // set, as those below
	__type(key, struct key4);
	__type(value, struct span);
} prefixes4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct key6);
	__type(value, struct span);
} prefixes6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct range);
} ranges SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} targets SEC(".maps");

// Shared by all versions of the program that a process loads. The process writes active, and the program the rest.
struct control {
	__u64 active;  // 0: leave everything to the kernel's search
	__u64 given;   // packets that began a connection at a target
	__u64 passed;  // left to the kernel's search by a rule
	__u64 refused; // by a rule
	__u64 gone;    // the target's socket was not there: left to the kernel's search
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct control);
} control SEC(".maps");

// The range of the span that has the port; 0: there is none.
static __always_inline struct range *search(struct span *s, __u32 port)
{
	__u32 low = s->first, high = s->first + s->count; // the range is in [low, high)

	for (int i = 0; i < 17; i++) { // a prefix has at most 2^16 ranges
		__u32 middle = low + (high - low) / 2;
		struct range *r;

		if (low >= high)
			return 0;
		r = bpf_map_lookup_elem(&ranges, &middle);
		if (!r)
			return 0;
		if (port < r->low)
			high = middle;
		else if (port > r->high)
			low = middle + 1;
		else
			return r;
	}
	return 0;
}

SEC("sk_lookup")
int find_listener(struct bpf_sk_lookup *ctx)
{
	struct control *c;
	struct range *r;
	struct bpf_sock *sk;
	struct span *span;
	__u32 zero = 0, target;
	long refused;

	c = bpf_map_lookup_elem(&control, &zero);
	if (!c || !*(volatile __u64 *)&c->active || ctx->protocol != IPPROTO_TCP)
		return SK_PASS;
	if (ctx->family == AF_INET) {
		struct key4 key = { .bits = 32, .address = ctx->local_ip4 };

		span = bpf_map_lookup_elem(&prefixes4, &key);
	} else {
		struct key6 key = { .bits = 128 };

		key.address[0] = ctx->local_ip6[0];
		key.address[1] = ctx->local_ip6[1];
		key.address[2] = ctx->local_ip6[2];
		key.address[3] = ctx->local_ip6[3];
		span = bpf_map_lookup_elem(&prefixes6, &key);
	}
	if (!span)
		return SK_PASS;
	r = search(span, ctx->local_port);
	if (!r)
		return SK_PASS;
	target = r->target;
	if (target == PASS) {
		__sync_fetch_and_add(&c->passed, 1);
		return SK_PASS;
	}
	if (target == REFUSE) {
		__sync_fetch_and_add(&c->refused, 1);
		return SK_DROP;
	}
	sk = bpf_map_lookup_elem(&targets, &target);
	if (!sk) {
		__sync_fetch_and_add(&c->gone, 1);
		return SK_PASS;
	}
	// Programs that were attached before may have chosen already: an older process's.
	refused = bpf_sk_assign(ctx, sk, BPF_SK_LOOKUP_F_REPLACE);
	bpf_sk_release(sk);
	if (refused)
		__sync_fetch_and_add(&c->gone, 1);
	else
		__sync_fetch_and_add(&c->given, 1);
	return SK_PASS;
}

char LICENSE[] SEC("license") = "Apache-2.0";
