// SPDX-License-Identifier: Apache-2.0
//
// Source guard: drops packets before the kernel's network stack sees them, those of denied sources and SYNs above a rate.
// It is attached to network interfaces (XDP). What it does not understand, it passes.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MOST_TAGS 2       // VLAN tags that are looked behind
#define MOST_EXTENSIONS 6 // IPv6 extension headers that are looked behind

#define FAMILY_4 4
#define FAMILY_6 6

struct vlan {
	__be16 tag;
	__be16 next;
};

struct extension { // RFC 8200, 4.3 to 4.6
	__u8 next;
	__u8 length; // in 8 bytes, the first 8 not counted
};

struct fragment { // RFC 8200, 4.5
	__u8 next;
	__u8 reserved;
	__be16 offset; // the upper 13 bits
	__be32 id;
};

// A source or a prefix. IPv4 addresses have the first four bytes.
struct source {
	__u32 family;
	__u8 address[16];
};

// The key of the deny list: 32 bits of the family, and those of the address.
struct denied {
	__u32 bits;
	struct source of;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1); // set to the list's room
	__type(key, struct denied);
	__type(value, __u8);
} deny SEC(".maps");

// When the next SYN would come if they came at exactly the rate (the generic cell rate algorithm): a token bucket in one word.
// CLOCK_MONOTONIC in ns.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1); // set to the number of sources
	__type(key, struct source);
	__type(value, __u64);
} sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct source);
	__type(value, __u64);
} prefixes SEC(".maps");

enum reason { DENIED, SOURCE_RATE, PREFIX_RATE, SYNS, OPAQUE, REASONS };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REASONS);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

// The number of entries in the deny list; the process writes it.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} entries SEC(".maps");

// ns between two SYNs at the rate, and how far ahead of the rate they may be: a burst. 0: no limit.
const volatile __u64 source_interval, source_ahead;
const volatile __u64 prefix_interval, prefix_ahead;
const volatile __u32 prefix_bits_4 = 24, prefix_bits_6 = 64;

static __always_inline void count(__u32 reason)
{
	__u64 *n = bpf_map_lookup_elem(&counts, &reason);

	if (n)
		(*n)++;
}

static __always_inline int is_denied(const struct source *source)
{
	struct denied key = {.bits = 32 + 128, .of = *source};
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&entries, &zero);

	if (!n || !*n)
		return 0;
	if (source->family == FAMILY_4)
		key.bits = 32 + 32;
	return bpf_map_lookup_elem(&deny, &key) != 0;
}

// Whether one more SYN is within the rate. It counts if it is. Where two CPUs meet, one of them lets its SYN pass.
static __always_inline int allowed(void *map, const struct source *key, __u64 interval, __u64 ahead, __u64 now)
{
	__u64 *due, was, next;

	if (!interval)
		return 1;
	due = bpf_map_lookup_elem(map, key);
	if (!due) {
		next = now + interval;
		bpf_map_update_elem(map, key, &next, BPF_ANY);
		return 1;
	}
	was = *(volatile __u64 *)due;
	next = was > now ? was : now;
	if (next - now > ahead)
		return 0;
	__sync_val_compare_and_swap(due, was, next + interval);
	return 1;
}

// The prefix of a source's rate.
static __always_inline void shorten(struct source *s, __u32 bits)
{
	for (__u32 i = 0; i < 16; i++) {
		__u32 first = i * 8;

		if (first >= bits)
			s->address[i] = 0;
		else if (bits - first < 8)
			s->address[i] &= 0xff << (8 - (bits - first));
	}
}

static __always_inline int limit(struct source *source)
{
	__u64 now = bpf_ktime_get_ns();

	count(SYNS);
	if (!allowed(&sources, source, source_interval, source_ahead, now)) {
		count(SOURCE_RATE);
		return XDP_DROP;
	}
	if (!prefix_interval)
		return XDP_PASS;
	shorten(source, source->family == FAMILY_4 ? prefix_bits_4 : prefix_bits_6);
	if (!allowed(&prefixes, source, prefix_interval, prefix_ahead, now)) {
		count(PREFIX_RATE);
		return XDP_DROP;
	}
	return XDP_PASS;
}

static __always_inline int opaque(void)
{
	count(OPAQUE);
	return XDP_PASS;
}

// What follows the network header is TCP: only a SYN that is not an answer to one counts.
static __always_inline int transport(void *at, void *end, struct source *source)
{
	struct tcphdr *tcp = at;

	if ((void *)(tcp + 1) > end)
		return opaque();
	if (!tcp->syn || tcp->ack)
		return XDP_PASS;
	return limit(source);
}

static __always_inline int ipv4(void *at, void *end)
{
	struct source source = {.family = FAMILY_4};
	struct iphdr *ip = at;
	__u32 length;

	if ((void *)(ip + 1) > end)
		return opaque();
	__builtin_memcpy(source.address, &ip->saddr, 4);
	if (is_denied(&source)) {
		count(DENIED);
		return XDP_DROP;
	}
	length = ip->ihl * 4;
	if (ip->protocol != IPPROTO_TCP || length < sizeof(*ip))
		return XDP_PASS;
	if (ip->frag_off & bpf_htons(0x1fff)) // a later part of a packet: it has no header of TCP
		return XDP_PASS;
	return transport(at + length, end, &source);
}

static __always_inline int ipv6(void *at, void *end)
{
	struct source source = {.family = FAMILY_6};
	struct ipv6hdr *ip = at;
	__u8 next;

	if ((void *)(ip + 1) > end)
		return opaque();
	__builtin_memcpy(source.address, &ip->saddr, 16);
	if (is_denied(&source)) {
		count(DENIED);
		return XDP_DROP;
	}
	next = ip->nexthdr;
	at = ip + 1;
	for (int i = 0; i <= MOST_EXTENSIONS; i++) {
		struct extension *extension = at;
		struct fragment *fragment = at;

		switch (next) {
		case IPPROTO_TCP:
			return transport(at, end, &source);
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			if ((void *)(extension + 1) > end)
				return opaque();
			next = extension->next;
			at += (extension->length + 1) * 8;
			break;
		case IPPROTO_FRAGMENT:
			if ((void *)(fragment + 1) > end)
				return opaque();
			if (fragment->offset & bpf_htons(0xfff8))
				return XDP_PASS;
			next = fragment->next;
			at = fragment + 1;
			break;
		default:
			return XDP_PASS;
		}
	}
	return opaque();
}

SEC("xdp")
int sluice_guard(struct xdp_md *context)
{
	void *at = (void *)(long)context->data, *end = (void *)(long)context->data_end;
	struct ethhdr *ethernet = at;
	__be16 protocol;

	if ((void *)(ethernet + 1) > end)
		return opaque();
	protocol = ethernet->h_proto;
	at = ethernet + 1;
	for (int i = 0; i < MOST_TAGS; i++) {
		struct vlan *vlan = at;

		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(vlan + 1) > end)
			return opaque();
		protocol = vlan->next;
		at = vlan + 1;
	}
	switch (protocol) {
	case bpf_htons(ETH_P_IP):
		return ipv4(at, end);
	case bpf_htons(ETH_P_IPV6):
		return ipv6(at, end);
	}
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Apache-2.0";
