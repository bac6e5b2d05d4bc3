// Package queue hands a bounded number of slots to waiters, by priority, losing none.
//
// It stands alone: no descriptors, no clocks, no loops. A caller says on which loop it is (a number that picks a stripe and
// a shard of counters), when a waiter arrived ([MakeKey]), and passes grants on ([Owner]).
//
// # The problem
//
// A flow finds its server full and queues. Between the two, the server's last flow may end: it looked for waiters and saw
// none, the newcomer saw no slot, and nobody is left to offer the queued one its place. It waits until its timeout while the
// server idles.
//
// # The contract
//
//  1. [Server.Admit] is the way in: a newcomer gets a slot at once, unless somebody waits.
//  2. If it fails, [Pool.Wait] queues, bound to one server or for any. Its outcome is one of: Waiting; TryAgain, holding a
//     slot; Closed.
//  3. A waiter that is Waiting has exactly one further outcome: Owner.Granted, Owner.SentBack, or a successful
//     [Pool.Cancel].
//  4. Whoever holds a slot (Admit, TryAgain, Granted) calls [Server.Release] once. A grant that crosses a cancellation
//     holds one too: Cancel has answered false, and the slot is to be released when Granted comes.
//  5. [Server.Open], [Server.Close], [Server.SetLimit] and [Server.Fill] may be called at any time. A server starts closed.
//     Where a dynamic limit rises by itself, the caller calls Fill. A grant of s may still come just after Close(s) has
//     returned, from a call that had found it open; and a Close that overlaps an Open may send back waiters of a server that
//     is open again. Both are as if the calls had come in the other order.
//  6. Cancel is for waiters that have been given to Wait.
//
// All may be called from any goroutine, but that two goroutines must not use one Waiter at once: it may be used again once its
// outcome is known and the Wait that began it has returned. Owner's methods are called without any lock held, by the goroutine
// that freed the slot or looked again; a grant may come before Wait has returned Waiting.
//
// # What guards what
//
//   - Slots.word counts the slots that are claimed; it changes by compare-and-swap against the limit, and by the decrement
//     that frees. So the number served never passes a limit that was in force when the slot was claimed.
//   - A stripe's heap, and the index of each waiter in it, belong to the stripe's lock. To be taken out of the heap is the
//     one event that decides a waiter's outcome, and it happens once: what follows belongs to the taker.
//   - stripe.head repeats the key of the heap's head for those who look without the lock. It is written under it.
//   - level.waiting is raised before a waiter is published and lowered after it was taken, so that zero proves that nobody
//     whose publication is complete is there, and spares a look at the heads. It proves nothing else: who acted upon a waiter
//     that is counted and not yet published would find nobody.
//
// # Why no waiter is stranded
//
// There is one predicate, mayTake ("this server is open and has a free slot"), and it answers by claiming. Admission, the
// recheck and release use it and nothing else.
//
// Three steps can make room on a server: the decrement in Slots.free, the store of a higher limit, the store of open. Each is
// followed, in the same call, by a look: is anybody waiting (awaited: the count, then the heads), and if so, claim and take
// the best. A release makes room for one and looks until that one slot is claimed or nobody waits; SetLimit and Open may make
// room for many and look, through Fill, until a claim fails or nobody waits. On the other side, a waiter's publication (push)
// is followed, in the same call, by the recheck: claim a slot of a server that it may be given, take the best, and go round
// until that is the waiter itself, or no claim succeeds, or the waiter is gone.
//
// Suppose that all calls have returned, waiter w is still queued, and a server s that w may be given is open and has an
// unclaimed slot. Let F be the last decrement, raise of the limit, or opening of s, whether or not s had room before it, and P
// the publication of w. Go's atomics are sequentially consistent (go.dev/ref/mem), so P and F are ordered. After F the number
// served only grows and the limit only falls, so a claim that begins after F and fails proves that s is full from then on,
// which it is not. (A claim reads the word and the limit at two moments; before F it may fail on a pair of values that never
// stood together, which is why F is not only the step that first made room.)
//
//   - F before P: w's recheck comes after P and so after F: its claims on s succeed. Each took w (and w is not queued), or a
//     better waiter (and the recheck went round), or nobody, which is impossible while w is queued: takeBest sees everyone
//     who was published before it began. It went round until w was taken, or a claim failed, which it cannot have.
//   - P before F: the look after F sees w's head or a better one, as the count was raised before P. Its claim succeeds. A
//     release has made room for one, and gave it to w or a better one; if s has room for more, then by an earlier decrement,
//     raise or opening, whose own look, if it came after P, filled that room, and if it came before P, left it for the
//     recheck of w, or of a better waiter, to fill. Fill goes on until a claim fails or nobody waits. If Fill ends because the
//     waiter it saw was gone when it came to take it, then everyone still queued was published after the limit was stored or
//     the server opened, and their rechecks see that room.
//
// A slot that was claimed for a waiter that was gone is freed through Release, which looks again: who found the server full
// because of that claim is found by that look.
//
// A waiter that is bound to s and is published while s is being closed: either Close's sweep comes after the publication and
// sends it back, or the recheck comes after the store that closed s, finds it closed and takes the waiter out itself.
//
// A server that is to go for good is closed first, and retired then: Retire swaps the word that counts, which is zero, for one above
// every limit. A claim that had found the server open read the word before that, and its own swap fails; one that reads it later
// finds the server full. So after Retire no slot of s is held, nor will be. (A claim that came before makes Retire fail.) A waiter
// that is bound to s later finds it closed.
//
// All of this is checked by machine, where prose may err: the model in lb/queue/model by spin, the code itself by the explorer
// (go test -tags queuestep). docs/queue.md tells what each covers.
//
// # Why trying again ends
//
// The recheck claims before it dequeues. So a waiter that is told to try again holds the slot already: the second try cannot
// fail, and there is no third. (HAProxy's first remedy dequeued on a condition that was not the admission's, and could be
// told to try again for ever.) A round of the recheck that ends with neither w nor nobody has served another waiter; a round
// of takeBest that finds its stripe changed follows another's taking; a release goes round again only if the waiter whose head
// it saw was taken by another. So each loop repeats only because another call made progress, never because one stands still.
//
// # Order
//
// Waiters are served by [Key]: priority class, then arrival shifted by the offset; equal keys within a stripe in the order of
// their publication, between stripes in any. takeBest never takes w while a better waiter that was published before takeBest
// began is still queued at either of the server's levels: it read that waiter's stripe's head, or a lower one, and takes only
// a head that is not above what it read. So a grant can only overtake waiters that were published while the grant was being
// made: with L loops, at most those that the other L-1 loops published during one takeBest: a few hundred nanoseconds,
// if the kernel does not take the CPU away in the middle.
// Newcomers do not barge: Admit refuses while anyone waits whose publication is complete.
//
// # Cost
//
// Admit and Release without waiters touch the server's word and two counters of waiters, without a lock: 10 to 15 ns. Queueing
// locks one stripe and looks at the servers' words, one after the other, until one is free; a grant reads the heads of the
// stripes at two levels and locks one. Nothing allocates, but for a stripe's heap when it grows. On two cores a plain mutex
// around one heap is as quick as the stripes while few wait: docs/queue.md has the numbers.
package queue
