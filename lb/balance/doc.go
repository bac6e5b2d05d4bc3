// Package balance chooses a server from weights, load and a key. It owns no connection and no clock: the caller says what
// changed, and every choice follows from that.
//
// In order, a caller
//
//  1. makes an Algorithm with New over members whose indexes then never change. Members of weight 0 are room for others to come:
//     Assign gives an index to another member;
//  2. asks Choose for a member, takes a slot there, and calls Changed;
//  3. when a slot is given back: frees it, calls Changed, and only then looks whether anyone waits;
//  4. tells SetWeight what becomes of a server: 0 while it is down, in maintenance or drained.
//
// Step 3's order is what makes a missed free slot impossible. A flow that found nothing publishes itself as a waiter and
// calls Choose again. Either that second Choose sees the member, or it ran before Changed ended; then the look for
// waiters that follows Changed sees the flow.
//
// # Full members
//
// The algorithms that skip full members keep them out of their structure until Changed, so that a farm in which most or
// all servers are full costs no more to ask. The same rule holds in each of them: whoever writes "member i is out
// because it is full" looks at Load.Full(i) once more after writing, and Changed looks at that note after Full(i) has
// changed. Go's atomics are sequentially consistent, so one of the two sees the other, and no update is lost.
//
// # Locks
//
// static-rr, first, random, source and hash choose without a lock, from atomics and immutable snapshots. roundrobin and leastconn
// hold a mutex for tens of nanoseconds. Nothing here allocates in Choose or Changed; SetWeight and Assign may, where a table is rebuilt.
package balance
