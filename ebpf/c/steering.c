// SPDX-License-Identifier: Apache-2.0
//
// Accept steering: chooses among the listening sockets of a reuseport group when a connection begins. Each loop has a socket of
// its own there, or shares one. The program is loaded once for each group, with the group's own sockets and slots; seats, CPUs and
// the tally are shared by all.
//
// It returns SK_PASS in any case: without a choice of its own the kernel takes its hash.

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define MAX_LOOPS 256
#define MAX_ON_CPU 32 // loops that one CPU may have
#define LINE 64       // bytes of a cache line
#define WINDOW 3000000000ULL // ns: see coming()

enum mode { MODE_CPU = 1, MODE_LEAST = 2 };

// One loop's place. The loop writes the first line, this program the second.
struct seat {
	__u64 flows;      // that the loop carries
	__u64 taken;      // connections that it has accepted from steered sockets
	__u64 busy_since; // CLOCK_MONOTONIC in ns when its turn began; 0: it waits for events
	__u64 unused[LINE / 8 - 3];

	__u64 given;     // connections that were sent there
	__u64 by_cpu;    // of these: because it runs on the packet's CPU
	__u64 by_least;  // because it had the fewest
	__u64 passed_by; // it would have been looked at, but for its long turn
	__s64 lost;      // of those given, how many will not be taken: see coming()
	__s64 lowest;    // of what was coming, in this window
	__u64 window;    // when it began, ns
	__u64 unused2[LINE / 8 - 7];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); // set to the number of loops
	__type(key, __u32);
	__type(value, struct seat);
} seats SEC(".maps");

// What was not given to any seat.
struct tally {
	__u64 hashed;  // left to the kernel's hash: no loop of this group could be chosen
	__u64 stalled; // of these: every loop of the group was in a long turn
	__u64 gone;    // of these: the chosen loop's socket was not there
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tally);
} tally SEC(".maps");

// The loops that may run on a CPU.
struct cpu {
	__u32 count;
	__u32 loops[MAX_ON_CPU];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); // set to the number of CPUs
	__type(key, __u32);
	__type(value, struct cpu);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, 1); // set to the number of sockets in the group
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

const volatile __u32 mode;
const volatile __u32 loops;           // of the process
const volatile __u64 stall;           // ns of a turn after which a loop is passed by
const volatile __u16 slots[MAX_LOOPS]; // of a loop: its socket in the group, counted from 1; 0: it does not accept here

// How long the seat's loop has been in its turn is more than it may be.
static __always_inline int stalled(const struct seat *s, __u64 now)
{
	__u64 since = *(volatile const __u64 *)&s->busy_since;

	return since && now > since && now - since > stall;
}

// Connections that were sent to the loop and that it has not accepted yet. Without them, all that come between two turns of
// a loop would go to the one that had the fewest before. Some never come: the client gives up, or a SYN cookie is answered by another
// loop. What has been coming for a whole window is taken for lost; and what was taken for lost and came after all makes the number
// negative for a window, and is set right then. Two CPUs may do so at once and set it twice as far: the next window sets that right.
static __always_inline __s64 coming(struct seat *s, __u64 now)
{
	__s64 n = *(volatile const __u64 *)&s->given - *(volatile const __u64 *)&s->taken - s->lost;

	if (n < s->lowest)
		s->lowest = n;
	if (now - s->window > WINDOW) {
		s->lost += s->lowest;
		n -= s->lowest;
		s->lowest = n;
		s->window = now;
	}
	return n > 0 ? n : 0;
}

struct choice {
	struct seat *seat;
	__u32 loop;
	__u32 long_turns; // loops that were passed by
};

// The loop of the packet's CPU that the hash names, or the next one there that is not in a long turn.
static __always_inline void on_cpu(struct choice *c, __u32 hash, __u64 now)
{
	__u32 id = bpf_get_smp_processor_id();
	struct cpu *cpu = bpf_map_lookup_elem(&cpus, &id);
	__u32 count;

	if (!cpu)
		return;
	count = cpu->count;
	for (__u32 i = 0; i < MAX_ON_CPU; i++) {
		struct seat *seat;
		__u32 at, loop;

		if (i >= count)
			return;
		at = hash % count + i;
		if (at >= count)
			at -= count;
		if (at >= MAX_ON_CPU)
			return;
		loop = cpu->loops[at];
		if (loop >= MAX_LOOPS || !slots[loop])
			continue;
		seat = bpf_map_lookup_elem(&seats, &loop);
		if (!seat)
			continue;
		if (stalled(seat, now)) {
			__sync_fetch_and_add(&seat->passed_by, 1);
			c->long_turns++;
			continue;
		}
		c->seat = seat;
		c->loop = loop;
		return;
	}
}

// The loop with the fewest flows that is not in a long turn. The hash says where to begin, so that equals get the same.
static __always_inline void fewest(struct choice *c, __u32 hash, __u64 now)
{
	__u64 best = ~0ULL;
	__u32 first = loops ? hash % loops : 0;

	c->long_turns = 0;
	for (__u32 i = 0; i < MAX_LOOPS; i++) {
		struct seat *seat;
		__u32 loop = first + i;
		__u64 has;

		if (i >= loops)
			return;
		if (loop >= loops)
			loop -= loops;
		if (loop >= MAX_LOOPS || !slots[loop])
			continue;
		seat = bpf_map_lookup_elem(&seats, &loop);
		if (!seat)
			continue;
		if (stalled(seat, now)) {
			if (mode == MODE_LEAST)
				__sync_fetch_and_add(&seat->passed_by, 1);
			c->long_turns++;
			continue;
		}
		has = *(volatile __u64 *)&seat->flows + coming(seat, now);
		if (has < best) {
			best = has;
			c->seat = seat;
			c->loop = loop;
		}
	}
}

static __always_inline int steer(struct sk_reuseport_md *md)
{
	__u64 now = bpf_ktime_get_ns();
	struct choice c = {};
	struct tally *t;
	__u32 zero = 0, slot;
	int cpu = 0;

	if (mode == MODE_CPU) {
		on_cpu(&c, md->hash, now);
		cpu = c.seat != 0;
	}
	if (!c.seat)
		fewest(&c, md->hash, now);
	t = bpf_map_lookup_elem(&tally, &zero);
	if (!t)
		return SK_PASS;
	if (!c.seat) {
		if (c.long_turns)
			__sync_fetch_and_add(&t->stalled, 1);
		__sync_fetch_and_add(&t->hashed, 1);
		return SK_PASS;
	}
	if (c.loop >= MAX_LOOPS)
		return SK_PASS;
	slot = slots[c.loop] - 1;
	if (bpf_sk_select_reuseport(md, &sockets, &slot, 0)) {
		__sync_fetch_and_add(&t->gone, 1);
		__sync_fetch_and_add(&t->hashed, 1);
		return SK_PASS;
	}
	__sync_fetch_and_add(&c.seat->given, 1);
	if (cpu)
		__sync_fetch_and_add(&c.seat->by_cpu, 1);
	else
		__sync_fetch_and_add(&c.seat->by_least, 1);
	return SK_PASS;
}

// Linux 5.14: called too when a socket of the group closes, for each connection that waited there and must go elsewhere.
SEC("sk_reuseport/migrate")
int steer_and_migrate(struct sk_reuseport_md *md)
{
	return steer(md);
}

SEC("sk_reuseport")
int steer_only(struct sk_reuseport_md *md)
{
	return steer(md);
}

char LICENSE[] SEC("license") = "Apache-2.0";
