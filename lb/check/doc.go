// Package check probes servers and tells lb/backend what it saw. Whether a server is up is decided there.
//
// # The way of a check
//
//  1. [Checker.Add] turns the rules of a backend into a script, once for each server.
//  2. One goroutine knows when each check is due (schedule.go). It starts a goroutine for a check that is, and none waits
//     with a check: 4,000 servers at rest are 4,000 entries of a heap.
//  3. The check goes through its script step by step (exchange.go): connect, send, expect, variables. The built-in
//     protocols are scripts too, with expectations of their own. External programs (external.go) and agents (agent.go) take
//     this way instead of a script.
//  4. The result goes to backend.Server.Checked or AgentReported, and then the check is put back into the heap, an interval
//     later, which the server's state decides. So a check never overlaps itself, however long it takes, and as many can run
//     at once as there are checks: there is no bound below that, behind which hung servers would hold up the others.
//
// # Contract
//
//   - Add everything before Start. After that, [Server.SetTarget] and [Server.Hasten] may be called by any goroutine, also
//     one that holds a backend's lock. Results are reported on the checks' own goroutines.
//   - Nothing here is done on a loop's thread, and nothing here holds a lock while it waits or calls lb/backend.
//   - Stop ends running checks without a result, and returns when no goroutine, descriptor or child process is left.
//   - Statuses and texts are HAProxy's for the same server and script. Where an answer can already be seen to be wrong and
//     HAProxy would wait for its time limit, the check ends at once (builtin.go names these).
//   - A response is kept up to Options.BufferSize and then judged by that: a server cannot make a check use more memory.
package check
