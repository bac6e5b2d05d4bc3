// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
//
// Socket redirect: what one socket of a flow receives is sent by its other socket, without the process. Each socket has a
// place; the places of a flow's two sockets differ in the lowest bit.
//
// It runs for each buffer of bytes (skb) that a socket in the map has received, under that socket's lock. Bytes are always passed (SK_PASS):
// SK_DROP would lose bytes. Without a redirection they stay with the socket that received them, for the process to read.

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

// What is read of the kernel's own structure; the loader finds where the running kernel has it (CO-RE).
struct tcp_sock {
	__u32 write_seq;
	__u32 copied_seq;
} __attribute__((preserve_access_index));

// The highest bit of a direction's word: what arrives is held, for the process to read. The others count the bytes that arrived.
#define HELD (1ULL << 63)

#define MOST_PULLED 0xfff // bytes that bpf_skb_adjust_room takes off at once
#define MOST_PULLS 192

// The bytes that one socket receives. The process sees the array in its own memory; it changes word by atomic operations, and the
// rest only while the place is not in use.
struct direction {
	__u64 word;    // HELD, and the bytes that arrived since the socket came into the map
	__u64 last;    // when some arrived, CLOCK_MONOTONIC in ns
	__u64 kept;    // of these bytes: those that were held
	__u64 look;    // the number of bytes at which the limit is looked at next
	__u32 limit;   // bytes that may wait in the kernel until the other socket sends them
	__u32 begun;   // start is set
	__u32 start;   // the other socket's write_seq, less the bytes that had arrived, when the redirection began
	__u32 next;    // the sequence number of the byte that is to come next
	__u32 known;   // next is set
	__u32 broken;  // bytes could not be kept apart: none may be delivered any more
	__u32 unused[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2); // set to the number of places, as are the next two
	__type(key, __u32);
	__type(value, struct direction);
} directions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

// The place of a socket, by its cookie: unlike addresses, no two sockets of any namespace share one.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2);
	__type(key, __u64);
	__type(value, __u32);
} places SEC(".maps");

// Tells the process of places that were held because of the limit.
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} overfull SEC(".maps");

// How many bytes wait for the socket at the place: those that were redirected, but for those that TCP has taken to send.
static __always_inline __u32 queued(struct direction *d, __u32 place, __u32 arrived)
{
	struct bpf_sock *socket = bpf_map_lookup_elem(&sockets, &place);
	struct tcp_sock *tcp;
	__u32 waiting = 0;

	if (!socket)
		return 0;
	tcp = (struct tcp_sock *)bpf_skc_to_tcp_sock(socket);
	if (tcp) {
		__u32 sequence = tcp->write_seq;

		if (!d->begun) {
			d->start = sequence - arrived;
			d->begun = 1;
		}
		waiting = arrived - (sequence - d->start);
	}
	bpf_sk_release(socket);
	return waiting;
}

// trim takes off what the buffer has at its front that was there before: a segment that was sent again with other bounds. TCP
// itself skips it when a process reads, but gives it to this program (tcp_read_skb). The result is the number of bytes that remain,
// or -1.
static __always_inline long trim(struct __sk_buff *skb, struct direction *d)
{
	__u32 first = skb->cb[0]; // of tcp_skb_cb: the sequence number of the first byte
	__u32 length = skb->len;
	__s32 again;

	if (!d->known) {
		struct bpf_sock *sk = skb->sk;
		struct tcp_sock *tcp = sk ? (struct tcp_sock *)bpf_skc_to_tcp_sock(sk) : 0;

		if (!tcp)
			return -1;
		d->next = tcp->copied_seq; // nothing was held yet, so it is all that was read
		d->known = 1;
	}
	again = d->next - first;
	if (again == 0) {
		d->next += length;
		return length;
	}
	if (again < 0)
		return -1;
	if ((__u32)again > length)
		again = length;
	d->next += length - again;
	length -= again;
	for (int i = 0; i < MOST_PULLS && again > 0; i++) {
		__s32 n = again > MOST_PULLED ? MOST_PULLED : again;

		if (bpf_skb_adjust_room(skb, -n, 0, 0))
			return -1;
		again -= n;
	}
	return again ? -1 : (long)length;
}

SEC("sk_skb/stream_verdict")
int redirect(struct __sk_buff *skb)
{
	__u64 cookie = bpf_get_socket_cookie(skb);
	__u32 *place = bpf_map_lookup_elem(&places, &cookie);
	struct direction *d;
	__u32 from, to;
	__u64 before;
	long length;

	if (!place)
		return SK_PASS;
	from = *place;
	to = from ^ 1;
	d = bpf_map_lookup_elem(&directions, &from);
	if (!d)
		return SK_PASS;

	// Nothing new, or a FIN without bytes. The worker that sends for the other socket takes an empty buffer for an error (EPIPE) and stops;
	// that this side has ended, the process knows from the socket's state.
	length = trim(skb, d);
	if (length <= 0 || d->broken) {
		if (length < 0 && !d->broken) {
			d->broken = 1;
			bpf_ringbuf_output(&overfull, &from, sizeof(from), 0);
		}
		return SK_DROP;
	}
	d->last = bpf_ktime_get_ns();
	before = __sync_fetch_and_add(&d->word, (__u64)length);
	if (before & HELD) {
		d->kept += length;
		return SK_PASS;
	}
	if (bpf_sk_redirect_map(skb, &sockets, to, 0) != SK_PASS) { // the other socket is gone
		d->kept += length;
		__sync_fetch_and_or(&d->word, HELD);
		bpf_ringbuf_output(&overfull, &from, sizeof(from), 0);
		return SK_PASS;
	}
	if (d->begun && before < d->look)
		return SK_PASS;
	d->look = before + d->limit / 8;
	if (queued(d, to, before) <= d->limit)
		return SK_PASS;
	if (!(__sync_fetch_and_or(&d->word, HELD) & HELD))
		bpf_ringbuf_output(&overfull, &from, sizeof(from), 0);
	return SK_PASS;
}

char LICENSE[] SEC("license") = "GPL";
