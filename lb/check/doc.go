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
//   - Statuses and texts are HAProxy's for the same server and script; the tests ask it. What differs is listed below.
//   - A response is kept up to Options.BufferSize and then judged by that: a server cannot make a check use more memory.
//
// # What differs from HAProxy 2.6
//
//   - Where an answer can already be seen to be wrong, the check ends at once instead of at its time limit (builtin.go).
//   - "timeout check" is counted from when the connection stands, as the manual says. HAProxy applies it only where it ends
//     later than the limit of the connect.
//   - The regular expressions are RE2's.
//   - An agent's line may end with the connection instead of with a line feed.
//   - A program that a signal ended has the code 128 plus its number, as in a shell.
//   - ssl-hello-chk offers other ciphers, and its random bytes do not name HAProxy.
//
// # What it costs
//
// A connect check over loopback takes 24 µs of a core when they come one after the other, and 46 µs when they come at their
// times, both ends of the connection included: 4,000 servers at "inter 2s" take 9 % of one core (BenchmarkChecks4000, on
// a virtual machine with two cores). An HTTP check takes about three times that, half of which is the server's.
package check
