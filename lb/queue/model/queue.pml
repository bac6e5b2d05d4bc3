/*
 * The protocol of package queue, one Promela step for each atomic step of the code. README.md has the correspondence, the
 * properties and what was left out; model_test.go has the configurations and runs them.
 *
 * A configuration is a set of definitions (spin -D):
 *   LOOPS     processes that arrive, wait, are served, release, time out: 1 to 4. Loop i's waiter has key i: 0 is the best.
 *   AT0..AT3  where each of them waits: POOL, or BOUND_A, BOUND_B
 *   HELD0..3  1: it begins with a slot of server A (in BOUND_B: of B) and only releases it
 *   STRIPES   loop i uses stripe i % STRIPES; with 2, stripe 0 has the best waiter and the worst
 *   SERVERS   1 or 2: A and B
 *   LIMIT     of A at first, and LIMIT_B of B
 *   SCRIPT    what the administrator does: see there
 *   TIMEOUTS  1: a waiter may be cancelled at any moment
 *   KEEPS     1: who is served may keep the slot for ever
 *   ASKS      1: who was sent back asks again, for any server of the pool
 *   ROUNDS    how often each loop arrives
 *   ORDER     (defined) nobody who was there is passed over for a worse one; for ROUNDS=1 without ASKS
 * and at most one of NO_RECHECK, OTHER_PREDICATE, LOOK_FIRST, COUNTS_ONLY: protocols that are broken.
 *
 * Loads of what nobody writes in a configuration are left out: they commute with every other step.
 */

#define POOL    0
#define BOUND_A 1
#define BOUND_B 2
#define NONE    7   /* the key of an empty stripe; nobody */

#ifndef LOOPS
#define LOOPS 3
#endif
#ifndef AT0
#define AT0 POOL
#endif
#ifndef AT1
#define AT1 POOL
#endif
#ifndef AT2
#define AT2 POOL
#endif
#ifndef STRIPES
#define STRIPES 2
#endif
#ifndef SERVERS
#define SERVERS 1
#endif
#ifndef LIMIT
#define LIMIT 1
#endif
#ifndef LIMIT_B
#define LIMIT_B 1
#endif
#ifndef SCRIPT
#define SCRIPT NOTHING
#endif
#ifndef AT3
#define AT3 POOL
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef HELD3
#define HELD3 0
#endif
#ifndef HELD0
#define HELD0 0
#endif
#ifndef HELD1
#define HELD1 0
#endif
#ifndef HELD2
#define HELD2 0
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 0
#endif
#ifndef KEEPS
#define KEEPS 0
#endif
#ifndef ASKS
#define ASKS 0
#endif

/* What the administrator does. */
#define NOTHING         0
#define CLOSE           1 /* server A goes down */
#define OPEN            2 /* it begins closed, and comes up */
#define CLOSE_OPEN      3 /* down, then up */
#define CLOSE_AND_OPEN  4 /* down and up at once, by two administrators */
#define RAISE           5 /* A's limit rises to 2 */
#define LOWER           6 /* it falls to 1 */
#define LOWER_RAISE     7 /* falls to 1, and rises to 2 */
#define STAYS_CLOSED    8 /* server A is never open */
#define OPEN_RAISE      9 /* comes up with its limit, which then rises to 2 */

#define OPENS  (SCRIPT == CLOSE || SCRIPT == OPEN || SCRIPT == CLOSE_OPEN || SCRIPT == CLOSE_AND_OPEN || SCRIPT == STAYS_CLOSED || SCRIPT == OPEN_RAISE)
#define LIMITS (SCRIPT == RAISE || SCRIPT == LOWER || SCRIPT == LOWER_RAISE || SCRIPT == OPEN_RAISE)
#define BEGINS_CLOSED (SCRIPT == OPEN || SCRIPT == STAYS_CLOSED || SCRIPT == OPEN_RAISE)
#define POOLED (AT0 == POOL || (LOOPS > 1 && AT1 == POOL) || (LOOPS > 2 && AT2 == POOL) || (LOOPS > 3 && AT3 == POOL) || ASKS)
#define BINDS  (AT0 != POOL || (LOOPS > 1 && AT1 != POOL) || (LOOPS > 2 && AT2 != POOL) || (LOOPS > 3 && AT3 != POOL))
#define HIGHEST(s) (s == 0 -> (LIMITS -> 2 : LIMIT) : LIMIT_B)

/* What the loops share. A stripe's number is its level's times STRIPES plus its own. */
byte word[SERVERS];                     /* Slots.word */
byte limit[SERVERS];                    /* Slots.limit */
bool open[SERVERS];                     /* Server.open */
byte waiting[SERVERS + 1];              /* level.waiting */
byte head[(SERVERS + 1) * STRIPES];     /* stripe.head */
bool locked[(SERVERS + 1) * STRIPES];   /* stripe.lock */
byte heap[(SERVERS + 1) * STRIPES];     /* stripe.heap: a set of loops; touched under the lock only */

/* What Owner hears: the mail of each loop. */
#define GRANTED(s) (1 + s)
#define SENT_BACK  3
byte mail[LOOPS];

/* Not in the code: what is asserted. */
bool due[LOOPS];    /* waits, and has had no outcome */
byte held[SERVERS]; /* slots that a flow holds or has in its mail */

/* The server whose slot a loop may have at first. */
#define OWN(l) (l == BOUND_B -> 1 : 0)
#define BIT(i) (1 << (i))
#define LOWEST(set) ((set & 1) -> 0 : ((set & 2) -> 1 : ((set & 4) -> 2 : ((set & 8) -> 3 : NONE))))
#if STRIPES == 1
#define QUEUED(l) (heap[l])
#elif STRIPES == 2
#define QUEUED(l) (heap[(l) * 2] | heap[(l) * 2 + 1])
#else
#define QUEUED(l) (heap[(l) * 3] | heap[(l) * 3 + 1] | heap[(l) * 3 + 2])
#endif

/* The one outcome of i's wait. Part of the step that brings it about. */
inline outcome(i) { assert(due[i]); due[i] = false }

/* A flow gets a slot of s. */
inline serve(s) { held[s]++; assert(held[s] <= HIGHEST(s)) }

inline lock(x) { atomic { !locked[x] -> locked[x] = true } }

inline unlock(x) { locked[x] = false }

/* stripe.remove and publish: the heap is the lock's, so that only the store to head is seen from outside. */
inline remove(x, i) { heap[x] = heap[x] & ~BIT(i); head[x] = LOWEST(heap[x]) }

/* One look at whether a stripe has a head, in level.awaited -> ok */
inline any(x) {
	if
	:: ok
	:: !ok -> ok = head[x] != NONE
	fi
}

/* level.awaited -> ok */
inline awaitedAt(l) {
#ifdef COUNTS_ONLY
	ok = waiting[l] > 0
#else
	if
	:: atomic { waiting[l] == 0 -> ok = false }
	:: waiting[l] > 0 ->
		ok = head[(l) * STRIPES] != NONE;
#if STRIPES > 1
		any((l) * STRIPES + 1);
#endif
#if STRIPES > 2
		any((l) * STRIPES + 2);
#endif
	fi
#endif
}

/* Server.awaited -> ok */
inline awaited(s) {
#if BINDS && POOLED
	awaitedAt(s + 1);
	if
	:: ok
	:: !ok -> awaitedAt(POOL)
	fi
#elif BINDS
	awaitedAt(s + 1)
#else
	awaitedAt(POOL)
#endif
}

/* Slots.claim -> ok */
inline claim(s) {
	do
	::
#if !LIMITS
	   atomic {
	   	n = word[s];
	   	if :: n >= limit[s] -> n = 0; ok = false; break :: else fi
	   };
#else
	   n = word[s];
	   atomic {
	   	top = limit[s];
	   	if :: n >= top -> n = 0; top = 0; ok = false; break :: else fi
	   };
#endif
	   if
	   :: atomic {
	   	word[s] == n -> word[s] = n + 1; ok = true;
#if LIMITS
	   	assert(word[s] <= top); top = 0;
#endif
	   	assert(word[s] <= HIGHEST(s)); n = 0; break
	   }
	   :: atomic { word[s] != n -> n = 0;
#if LIMITS
	   	top = 0
#endif
	   }
	   fi
	od
}

/* Server.mayTake -> ok: the predicate */
inline mayTake(s) {
#if OPENS
	if
	:: open[s] -> claim(s)
	:: atomic { !open[s] -> ok = false }
	fi
#else
	claim(s)
#endif
}

/* One look at a stripe's head, in level.best. */
inline look(x) {
	atomic { if :: head[x] < key -> key = head[x]; at = x :: else fi }
}

/* level.best -> at, key */
inline best(l) {
	if
	:: waiting[l] == 0
	:: else ->
		look((l) * STRIPES);
#if STRIPES > 1
		look((l) * STRIPES + 1);
#endif
#if STRIPES > 2
		look((l) * STRIPES + 2);
#endif
	fi
}

/* stripe.popBest -> got */
inline popBest(x, most) {
	lock(x);
	atomic {
		got = LOWEST(heap[x]);
		if
		:: got != NONE && got <= most ->
#ifdef ORDER
			/* Nobody who was there when takeBest began is passed over for a worse one. */
			assert(most == NONE || !((QUEUED(POOL) | QUEUED(s + 1)) & seen & (BIT(got) - 1)));
			seen = 0;
#endif
			remove(x, got)
		:: else -> got = NONE
		fi
	};
	unlock(x)
}

/* Server.takeBest -> got */
inline takeBest(s) {
#ifdef ORDER
	seen = QUEUED(POOL) | QUEUED(s + 1);
#endif
	do
	:: atomic { at = 0; key = NONE; got = NONE };
#if POOLED
	   best(POOL);
#endif
#if BINDS
	   best(s + 1);
#endif
	   if
	   :: atomic { key == NONE -> at = 0; key = 0; break }
	   :: key != NONE
	   fi;
	   popBest(at, key);
	   if
	   :: atomic { got != NONE -> waiting[at / STRIPES]--; at = 0; key = 0; break }
	   :: got == NONE
	   fi
	od
}

/* Owner.Granted, of the one that was taken */
inline grant(s) { outcome(got); serve(s); assert(mail[got] == 0); mail[got] = GRANTED(s); got = 0 }

/* Server.Release of a slot that was claimed and nobody has */
inline release(s) {
	do
	:: atomic { assert(word[s] > 0); word[s]-- };
	   awaited(s);
	   if
	   :: ok -> mayTake(s)
	   :: else
	   fi;
	   if
	   :: ok -> takeBest(s)
	   :: else -> break
	   fi;
	   if
	   :: atomic { got != NONE -> grant(s); ok = false; break }
	   :: atomic { got == NONE -> got = 0; ok = false }
	   fi
	od
}

/* Server.Fill */
inline fill(s) {
	do
	:: awaited(s);
	   if
	   :: ok -> mayTake(s)
	   :: else
	   fi;
	   if
	   :: ok -> takeBest(s)
	   :: else -> break
	   fi;
	   if
	   :: atomic { got != NONE -> grant(s) }
	   :: atomic { got == NONE -> got = 0 }; release(s); break
	   fi
	od
}

#define MINE (lev * STRIPES + me % STRIPES)

/* Pool.Cancel of one's own waiter -> ok */
inline cancel() {
	lock(MINE);
	atomic {
		if
		:: heap[MINE] & BIT(me) -> remove(MINE, me); outcome(me); ok = true
		:: else -> ok = false
		fi
	};
	unlock(MINE);
	if
	:: ok -> waiting[lev]--
	:: else
	fi
}

proctype Loop(byte me; byte lev; bool holds) {
	byte s, n, at, key, got;
	bool ok;
#if LIMITS
	byte top;
#endif
#if ROUNDS > 1
	byte round = 1;
#endif
#ifdef ORDER
	byte seen;
#endif

	if
	:: lev == BOUND_B -> s = 1
	:: else
	fi;
	if
	:: holds -> goto served
	:: else
	fi;

arrive:
	/* A flow that waits for any server tries one that its algorithm chose. */
	atomic {
		if
		:: lev == POOL -> s = 0
		:: lev == POOL && SERVERS > 1 -> s = 1
		:: lev != POOL -> s = lev - 1
		fi
	};
	awaited(s); /* Server.Admit */
	if
	:: atomic { ok -> ok = false }
	:: atomic { !ok } -> mayTake(s)
	fi;
	if
	:: atomic { ok -> ok = false; serve(s); goto served }
	:: !ok
	fi;

	/* Pool.Wait */
	due[me] = true;
	waiting[lev]++;
	lock(MINE); /* stripe.push */
	atomic { heap[MINE] = heap[MINE] | BIT(me); head[MINE] = LOWEST(heap[MINE]) };
	unlock(MINE);
#ifdef NO_RECHECK
	goto waits;
#endif
#ifdef OTHER_PREDICATE
	/* "Nobody is served, so nobody will wake me": dequeued, and told to try again without a slot. */
	if
	:: word[s] == 0 -> cancel(); if :: ok -> ok = false; goto arrive :: else -> goto waits fi
	:: word[s] != 0 -> goto waits
	fi;
#endif
	do
	:: if
	   :: lev == POOL -> /* Pool.takeAny */
		s = me % SERVERS;
		mayTake(s);
#if SERVERS > 1
		if
		:: ok
		:: else -> s = 1 - s; mayTake(s)
		fi
#endif
	   :: lev != POOL ->
#if OPENS
		if
		:: open[s]
		:: !open[s] -> cancel(); if :: ok -> ok = false; goto closed :: else -> goto waits fi
		fi;
#endif
		mayTake(s)
	   fi;
	   if
	   :: ok -> ok = false
	   :: !ok -> goto waits
	   fi;
	   takeBest(s);
	   if
	   :: atomic { got == me -> outcome(me); serve(s); got = 0; goto served } /* TryAgain */
	   :: atomic { got != me && got != NONE -> grant(s) }
	   :: atomic { got == NONE -> assert(!(heap[MINE] & BIT(me))); got = 0 }; release(s); goto waits
	   fi
	od;

waits:
#if TIMEOUTS
	if
	:: true
	:: cancel(); if :: atomic { ok -> ok = false; goto done } :: !ok fi; goto crossed
	fi;
#endif
end_waits:
	mail[me] != 0;
crossed:
	if
	:: atomic { mail[me] == SENT_BACK -> mail[me] = 0; goto closed }
	:: atomic { mail[me] != 0 && mail[me] != SENT_BACK -> s = mail[me] - 1; mail[me] = 0 }
	fi;

served:
#if KEEPS
	if
	:: true
	:: true -> s = 0;
end_keeps:
		false
	fi;
#endif
#ifdef LOOK_FIRST
	awaited(s);
	atomic { word[s]--; held[s]-- };
	if
	:: ok -> ok = false; mayTake(s)
	:: else
	fi;
	if
	:: ok -> ok = false; takeBest(s); if :: atomic { got != NONE -> grant(s) } :: got == NONE -> got = 0; release(s) fi
	:: else
	fi;
#else
	held[s]--; /* a ghost: what follows in one's own release comes before anyone else can see it */
	release(s);
#endif
	goto done;

closed:
#if ASKS
	if
	:: lev != POOL -> lev = POOL; goto arrive
	:: else
	fi;
#endif

done:
#if ROUNDS > 1
	if
	:: atomic { round < ROUNDS -> round++; goto arrive }
	:: round == ROUNDS
	fi;
#endif
	atomic { s = 0; lev = 0 }
}

#if SCRIPT != NOTHING && SCRIPT != STAYS_CLOSED

inline setLimit(s, to) { limit[s] = to; fill(s) }

inline opens(s) { open[s] = true; fill(s) }

/* Server.Close: the sweep */
inline sweep(x) {
	do
	:: popBest(x, NONE);
	   if
	   :: atomic { got != NONE -> waiting[(x) / STRIPES]-- }
	   :: atomic { got == NONE -> got = 0; break }
	   fi;
	   atomic { outcome(got); assert(mail[got] == 0); mail[got] = SENT_BACK; got = 0 }
	od
}

inline closes(s) {
	open[s] = false;
#if BINDS
	sweep((s + 1) * STRIPES);
#if STRIPES > 1
	sweep((s + 1) * STRIPES + 1);
#endif
#if STRIPES > 2
	sweep((s + 1) * STRIPES + 2);
#endif
#endif
}

proctype Administrator(bool first) {
	byte n, at, key, got;
	bool ok;
#if LIMITS
	byte top;
#endif
#ifdef ORDER
	byte seen;
#endif

#if SCRIPT == CLOSE || SCRIPT == CLOSE_OPEN
	closes(0);
#endif
#if SCRIPT == OPEN || SCRIPT == CLOSE_OPEN || SCRIPT == OPEN_RAISE
	opens(0);
#endif
#if SCRIPT == CLOSE_AND_OPEN
	if
	:: first -> closes(0)
	:: !first -> opens(0)
	fi;
#endif
#if SCRIPT == LOWER || SCRIPT == LOWER_RAISE
	setLimit(0, 1);
#endif
#if SCRIPT == RAISE || SCRIPT == LOWER_RAISE || SCRIPT == OPEN_RAISE
	setLimit(0, 2);
#endif
	skip
}
#endif

/* What has to hold when nobody can go on. */
inline quiet(s) {
	leaked = word[s] != held[s]; /* or given twice */
	assert(!leaked);
	stranded = open[s] && word[s] < limit[s] && (QUEUED(POOL) || QUEUED(s + 1));
	assert(!stranded);
	forgotten = !open[s] && QUEUED(s + 1); /* by a server that was closed */
	assert(!forgotten)
}

#define STRAY(i) (due[i] != ((QUEUED(POOL) & BIT(i)) || (QUEUED(1) & BIT(i)) || (SERVERS > 1 && (QUEUED(SERVERS) & BIT(i)))))

init {
	byte i;
	bool leaked, stranded, forgotten;
	atomic {
		for (i : 0 .. SERVERS - 1) {
			limit[i] = (i == 0 -> LIMIT : LIMIT_B);
			open[i] = !(i == 0 && BEGINS_CLOSED)
		}
		for (i : 0 .. (SERVERS + 1) * STRIPES - 1) {
			head[i] = NONE
		}
#if HELD0
		word[OWN(AT0)]++; held[OWN(AT0)]++;
#endif
#if HELD1
		word[OWN(AT1)]++; held[OWN(AT1)]++;
#endif
#if HELD3
		word[OWN(AT3)]++; held[OWN(AT3)]++;
#endif
#if HELD2
		word[OWN(AT2)]++; held[OWN(AT2)]++;
#endif
		i = 0;
		run Loop(0, AT0, HELD0);
#if LOOPS > 1
		run Loop(1, AT1, HELD1);
#endif
#if LOOPS > 2
		run Loop(2, AT2, HELD2);
#endif
#if LOOPS > 3
		run Loop(3, AT3, HELD3);
#endif
#if SCRIPT != NOTHING && SCRIPT != STAYS_CLOSED
		run Administrator(true);
#endif
#if SCRIPT == CLOSE_AND_OPEN
		run Administrator(false);
#endif
	};
	timeout;
	d_step {
		quiet(0);
#if SERVERS > 1
		quiet(1);
#endif
		/* Who is out of the queue has had the one outcome, and who is in it none. */
		assert(!STRAY(0));
#if LOOPS > 1
		assert(!STRAY(1));
#endif
#if LOOPS > 2
		assert(!STRAY(2));
#endif
#if LOOPS > 3
		assert(!STRAY(3));
#endif
	}
}
