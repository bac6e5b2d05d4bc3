package resolve

import (
	"net/netip"
	"slices"
	"time"
)

// Failure is how asking for a name ended.
type Failure uint8

// The failures, as "hold" tells them apart.
const (
	OK      Failure = iota
	NX              // there is no such name
	Refused         // the name servers refuse to answer
	Timeout         // none of them answered
	Other           // anything else: SERVFAIL, no record of the kind, what cannot be read
)

// String gives the failure in HAProxy's words for the reason of a server that goes down.
func (f Failure) String() string {
	switch f {
	case OK:
		return "valid DNS answer"
	case NX:
		return "DNS NX status"
	case Refused:
		return "DNS refused status"
	case Timeout:
		return "DNS timeout status"
	}
	return "unspecified DNS error"
}

// Query names a question.
type Query struct {
	Section string // name of the "resolvers" section
	Name    string // of a host, or of a service: "_http._tcp.example.com"
	Service bool   // ask for SRV records
	// PreferIPv4 asks for IPv4 addresses first, and for IPv6 if there are none; otherwise it is the other way round.
	PreferIPv4 bool
}

// Answer is an outcome: what is known of a name now. Its slices must not be changed.
type Answer struct {
	Addrs    []netip.Addr // of a host; in a stable order: addresses keep their place, new ones are put behind
	Services []Service    // of a service, likewise
	Failure  Failure      // of the last time that it was asked for; OK: this is its answer
	// Stale says that the last time failed, and that this is what was known before. With a Failure and without Stale
	// nothing is known any more. Where Valid is zero, too, what was known is what the watcher had before ([Watch.Assume]).
	Stale bool
	Valid time.Time // of the last valid answer; zero: there was none
	By    string    // who gave it: "SECTION/NAMESERVER"
	First bool      // the watcher is the first of the question: the others have it from the cache, in HAProxy's words
}

// Known tells whether there is an answer that may be used, be it stale.
func (a *Answer) Known() bool { return a.Failure == OK || a.Stale }

// Service is one target of a service.
type Service struct {
	Target   string // name of the host, lower case, without the dot at its end
	Port     uint16
	Priority uint16
	Weight   uint16 // as in the record: 0..65535
	// Host is what is known of the target's addresses.
	Host Answer
	// Additional says that Host came along with the service's answer.
	Additional bool
	// Asked says that Host is an outcome; otherwise the target is still being asked for.
	Asked bool
}

// same tells whether a watcher would do the same with both.
func (a *Answer) same(b *Answer) bool {
	return a.Failure == b.Failure && a.Stale == b.Stale && slices.Equal(a.Addrs, b.Addrs) &&
		slices.EqualFunc(a.Services, b.Services, func(x, y Service) bool {
			return x.Target == y.Target && x.Port == y.Port && x.Priority == y.Priority && x.Weight == y.Weight &&
				x.Asked == y.Asked && x.Host.same(&y.Host)
		})
}
