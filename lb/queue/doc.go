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
//     Where a dynamic limit rises by itself, the caller calls Fill.
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
// Call a server free when it is open and has an unclaimed slot. Three steps make a server free: the decrement in Slots.free,
// the store of a higher limit, the store of open. Each is followed, in the same call, by a look: is anybody waiting (awaited:
// the count, then the heads), and if so, claim and take the best (Release, SetLimit, Open; the latter two through Fill). On
// the other side, a waiter's publication (push) is followed, in the same call, by the recheck: is a server free, and if so,
// claim and take the best.
//
// Suppose that all calls have returned, waiter w is still queued, and a server s that w may be given is free. Let F be the
// last step that made s free, and P the publication of w. Go's atomics are sequentially consistent (go.dev/ref/mem), so P
// and F are ordered.
//
//   - F before P: w's recheck comes after P and so sees s free, unless it was claimed in between; then it was freed again
//     later, and F was not the last. So the recheck claimed a slot of s. It then took w (and w is not queued), or a better
//     waiter (and the slot is held by that one; the recheck looked again), or nobody, which is impossible while w is queued:
//     takeBest sees everyone who was published before it began.
//   - P before F: the look after F sees w's head or a better one, as the count was raised before P. It claims a slot of s,
//     or fails because all are claimed by others, each of whom will free theirs, and F was not the last. Having claimed it
//     takes w or a better one. Should it find nobody, w is not queued.
//
// A slot that was claimed for a waiter that was gone is freed through Release, which looks again: who found the server full
// because of that claim is found by that look.
//
// A waiter that is bound to s and is published while s is being closed: either Close's sweep comes after the publication and
// sends it back, or the recheck comes after the store that closed s, finds it closed and takes the waiter out itself.
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
// made: with L loops, at most those that the other L-1 loops published during one takeBest, a few hundred nanoseconds.
// Newcomers do not barge: Admit refuses while anyone waits whose publication is complete.
//
// # Cost
//
// Admit and Release without waiters touch the server's word and two counters of waiters, without a lock: 10 to 15 ns. Queueing
// locks one stripe and looks at the servers' words, one after the other, until one is free; a grant reads the heads of the
// stripes at two levels and locks one. Nothing allocates, but for a stripe's heap when it grows. On two cores a plain mutex
// around one heap is as quick as the stripes while few wait: docs/queue.md has the numbers.
package queue
