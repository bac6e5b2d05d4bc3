package balance

import (
	"errors"
	"fmt"
)

// MaxWeight is the largest weight of a member; larger ones are cut to it.
const MaxWeight = 256

// Load is how an algorithm looks at its servers. It is implemented over atomics by whoever owns them: it is called from
// any loop at any time, sometimes under an algorithm's lock, so it must neither block nor call back.
type Load interface {
	Served(i int) int // flows on server i plus those waiting at it
	Full(i int) bool  // server i may not take one more now
}

// Member is one server as an algorithm sees it; its index in the slice given to New is its name from then on.
type Member struct {
	ID     uint32 // the server's numeric id: it places the member on a hash ring, and orders "first"
	Order  uint32 // its place in the configuration: it orders static-rr and map-based hashes; equal ones: by their indexes
	Name   string
	Weight int // 0..MaxWeight; 0: not chosen
}

// Algorithm chooses among members. All methods are safe to call from all loops at once; each implementation says how.
type Algorithm interface {
	// Choose returns the index of a member with weight > 0 that, where Waits is false, was not full; -1 when none is
	// left. The member at index avoid (-1: none) is passed over if another can be had. The key counts only for
	// source and hash.
	Choose(key uint32, avoid int) int
	// SetWeight takes effect for the next Choose. 0 takes the member out, more puts it back.
	SetWeight(i, weight int)
	// Assign gives index i, whose weight is 0, to another member; m's weight does not count, it comes in with SetWeight. A Choose
	// that runs meanwhile may still return i for the one before. Calls of Assign and SetWeight do not overlap.
	Assign(i int, m Member)
	// Changed says that Served(i) or Full(i) has changed: call it after the change can be seen through Load.
	Changed(i int)
	// Usable returns the number of members with weight > 0.
	Usable() int
	// Waits tells whether a flow is bound to the member chosen for it, full or not: it waits at that member.
	Waits() bool
}

// Kind names an algorithm.
type Kind uint8

// The kinds, in the order of the manual's "balance".
const (
	RoundRobin Kind = iota
	StaticRR
	LeastConn
	First
	Source
	Random
	Hash
)

// Method is how a hash is mapped to a member.
type Method uint8

// The methods of "hash-type".
const (
	MapBased Method = iota
	Consistent
	Maglev
)

// Function is how bytes become a hash.
type Function uint8

// The functions of "hash-type". None reads the bytes as a decimal number.
const (
	SDBM Function = iota
	DJB2
	WT6
	CRC32
	XXHash
	None
)

// Options chooses and tunes an algorithm. The zero value is round robin.
type Options struct {
	Kind          Kind
	Draws         int      // Random: servers drawn, of which the least loaded wins; 0: 2
	Method        Method   // Source, Hash
	Function      Function // Source, Hash: how HashBytes made the key; also places members on a ring
	Avalanche     bool     // Source, Hash: as Function
	BalanceFactor int      // Source, Hash, Random: percent of the average load that a member may have, from 100; 0: no bound
	Seed          uint64   // Random: where the draws start; equal seeds give equal draws when called from one goroutine
}

// Key hashes the bytes that bind a flow: for Source the client's address (4 or 16 bytes), for Hash the sample.
// As HAProxy 2.6 does, Source folds the address and does not apply Function; Avalanche counts for both.
func (o Options) Key(data []byte) uint32 {
	if o.Kind == Source {
		return HashBytes(None, o.Avalanche, data)
	}
	return HashBytes(o.Function, o.Avalanche, data)
}

// MaxMembers is how many members an algorithm can hold: tables name them in 16 bits.
const MaxMembers = 1 << 16

// Errors of New.
var (
	ErrFactor  = errors.New("hash-balance-factor must be 0 or at least 100")
	ErrDraws   = errors.New("random needs at least one draw")
	ErrMembers = errors.New("more servers than an algorithm can hold")
)

// New makes an algorithm over members, which it copies. Load may be nil where nothing is ever full or loaded.
// Members with the same ID share their places on a ring, so give each its own.
func New(o Options, members []Member, load Load) (Algorithm, error) {
	switch {
	case o.BalanceFactor != 0 && o.BalanceFactor < 100:
		return nil, ErrFactor
	case o.Draws < 0:
		return nil, ErrDraws
	case len(members) > MaxMembers:
		return nil, fmt.Errorf("%w: %d, at most %d", ErrMembers, len(members), MaxMembers)
	}
	if load == nil {
		load = idle{}
	}
	switch o.Kind {
	case RoundRobin:
		return newRoundRobin(members, load), nil
	case StaticRR:
		return newStatic(members, load), nil
	case LeastConn:
		return newLeastConn(members, load), nil
	case First:
		return newFirst(members, load), nil
	case Random:
		return newRandom(o, members, load), nil
	case Source, Hash:
		switch o.Method {
		case MapBased:
			return newMapped(members, load), nil
		case Consistent:
			return newRing(o, members, load), nil
		case Maglev:
			return newMaglev(o, members, load), nil
		}
		return nil, fmt.Errorf("balance: unknown method %d", o.Method)
	}
	return nil, fmt.Errorf("balance: unknown kind %d", o.Kind)
}

// idle is the load of servers that nobody counts.
type idle struct{}

func (idle) Served(int) int { return 0 }
func (idle) Full(int) bool  { return false }
