package flow

import (
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
)

// Some of the flows that end have the way to their server looked at: so many a second, spread over it, and none unless asked for.
func TestPathSamples(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}), func(s *script) { s.process.PathSamples = 10 })
	counters := s.backend.Servers()[0].Stats
	one := func(want uint64) {
		t.Helper()
		client, server := s.flow()
		client.send("some bytes")
		server.got("some bytes", "")
		client.finish()
		server.got("", "EOF")
		server.finish()
		s.until("the end", func() bool { return s.loop.count == 0 })
		if got := counters.Sum(stats.PathSamples); got != want {
			t.Fatalf("%d samples, want %d", got, want)
		}
	}
	one(1)
	one(1) // in the same moment
	s.pass(99 * time.Millisecond)
	one(1)
	s.pass(time.Millisecond)
	one(2)
	if sent, again := counters.Sum(stats.PathSegments), counters.Sum(stats.PathRetransmits); sent != 2 || again != 0 {
		t.Errorf("%d segments, %d of them again", sent, again)
	}
	if trip := counters.Sum(stats.PathRoundTrip); trip == 0 || trip > 2_000_000 {
		t.Errorf("%d µs in two round trips", trip)
	}
	s.process.PathSamples = 0
	s.pass(time.Second)
	one(2)
}
