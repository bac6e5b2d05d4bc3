// Package load makes the traffic of a measurement, and measures how long its requests take.
//
// Run is one run: connections are opened, warm up, are measured for a while, and are closed. It is meant for a process of its own (Serve),
// so that it can be pinned, and its CPU told from that of others. It speaks package frame's protocol to an origin, straight or through
// a balancer, or HTTP to a web server.
//
// How it is built, because a generator must cost less than what it measures:
//
//   - Each thread runs one epoll loop over connections of its own. Nothing is shared while it runs but the run's clock edges.
//     A small request costs two system calls (send, recv) and a share in an epoll_pwait2, which is edge-triggered where a recv takes all that
//     is there. Nothing is allocated per request. Go's scheduler is not told of waits (package places).
//   - A request on a new connection is sent right after connect(2) returns: over loopback the handshake is over by then. Where it is
//     not, the send says so and the loop waits.
//   - Received bytes of which only the number matters are discarded in the kernel (MSG_TRUNC, tcp(7)) and not copied.
//     Whoever compares rates of bulk with a reader that copies has to know that.
//
// Open loop: the schedule is fixed beforehand, request n of a thread is due at start + n × step, and its latency counts from there.
// If connections are all in use, or the generator is behind, the wait is part of the latency: nothing is left out because
// it could not be sent (coordinated omission). What is due within the measured time and unanswered at its end is waited for (Spec.Drain), then counted
// as an error, and its wait so far stays in the latency.
//
// Closed loop: what finishes within the measured time counts.
package load
