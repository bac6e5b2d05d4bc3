package resolve

import "sync/atomic"

// Counters of one name server, as "show resolvers" lists them.
type Counters struct {
	Sent       uint64 // questions sent
	SendErrors uint64 // questions that could not be sent, or that the other host said it does not take
	Valid      uint64 // valid answers that counted
	Updates    uint64 // those among them that changed what is known
	CNAME      uint64 // those among them that went by an alias
	CNAMEError uint64 // aliases that lead nowhere, or in a circle
	AnyError   uint64 // answers without a record
	NX         uint64 // "no such name"
	Timeout    uint64 // no answer within "timeout retry"
	Refused    uint64
	Other      uint64 // other failures, SERVFAIL among them
	Invalid    uint64 // what is not the answer to the question: malformed, another question, another id on this port
	TooBig     uint64 // larger than accepted_payload_size; asked for over TCP
	Truncated  uint64 // cut short by the name server; asked for over TCP
	Outdated   uint64 // came when it was no longer waited for
}

// counters are written by the section's goroutine and read by any.
type counters struct {
	sent, sendErrors, valid, updates, cname, cnameError, anyError, nx, timeout, refused, other, invalid, tooBig, truncated,
	outdated atomic.Uint64
}

func (c *counters) snapshot() Counters {
	return Counters{
		Sent: c.sent.Load(), SendErrors: c.sendErrors.Load(), Valid: c.valid.Load(), Updates: c.updates.Load(),
		CNAME: c.cname.Load(), CNAMEError: c.cnameError.Load(), AnyError: c.anyError.Load(), NX: c.nx.Load(),
		Timeout: c.timeout.Load(), Refused: c.refused.Load(), Other: c.other.Load(), Invalid: c.invalid.Load(),
		TooBig: c.tooBig.Load(), Truncated: c.truncated.Load(), Outdated: c.outdated.Load(),
	}
}

// ServerStatus is one name server's part of [SectionStatus].
type ServerStatus struct {
	Name string
	Counters
}

// SectionStatus is what "show resolvers" shows of a section.
type SectionStatus struct {
	Name    string
	Servers []ServerStatus
}
