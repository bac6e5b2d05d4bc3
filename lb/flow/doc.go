// Package flow carries one client connection to one server, from accept to close.
//
// # The stages of a flow, in order
//
//  1. accept.go: a loop's share of a listener reports connections; limits are checked before anything is made.
//  2. header.go: where the bind asks for it, the PROXY header is awaited and read.
//  3. choose.go: the backend admits the flow to a server, or it waits there for a slot.
//  4. connect.go: a nonblocking connect; failures are retried at the same server or redispatched to another; then what
//     goes before the payload (SOCKS4, PROXY header) is sent.
//  5. forward.go: bytes both ways, by copy or by splice, each direction ending by itself (half-close).
//  6. close.go: the server's socket closes, the slot goes to the next waiter, the log line is written, the client's
//     socket closes, the flow is used again.
//
// timeout.go keeps the one timer that serves all stages.
//
// # Who owns a flow
//
// A flow belongs to one loop for life; only that loop's thread touches it. Everyone else sends mail: a backend that grants
// a slot from another loop posts the flow's mail and touches nothing else of it. While a request waits, its queue links
// are the backend's (see backend.Request).
//
// What the loops share (Process, Frontend, Bind, Backend, Target) is immutable but for atomics and what says otherwise.
package flow
