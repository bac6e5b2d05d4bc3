package top

import "time"

// historyLength is how many rates of a row are remembered.
const historyLength = 60

// track is what is known of one row over time.
type track struct {
	seen                             int     // the sample's number in which the row was last
	sessions, in, out, errors        float64 // per second, since the sample before
	known                            bool    // there was one: else only sessions is known, from the process itself
	history                          []float64
	lastTotal, lastIn, lastOut, lost int64
}

// tracker sets samples beside each other. The first sample, and the first after a restart, has only the rates that the process
// itself counted.
type tracker struct {
	samples    int
	at         time.Time
	pid        string
	uptime     int64
	rows       map[key]*track
	loops      []loop
	busy       []float64 // of each loop, 0 to 1, since the sample before; empty: not known
	in, out    float64   // of all frontends, per second
	rate       []float64 // of connections, the history
	restarted  int
	comparable bool // there is a sample before
}

// add takes the next sample.
func (t *tracker) add(s *sample) {
	if t.rows == nil {
		t.rows = make(map[key]*track)
	}
	uptime := s.number("Uptime_sec")
	t.comparable = t.samples > 0 && t.pid == s.info["Pid"] && uptime >= t.uptime
	if t.samples > 0 && !t.comparable {
		t.restarted++
		clear(t.rows)
		t.rate, t.loops, t.busy = nil, nil, nil
	}
	elapsed := s.at.Sub(t.at).Seconds()
	t.samples, t.at, t.pid, t.uptime = t.samples+1, s.at, s.info["Pid"], uptime
	t.in, t.out = 0, 0
	for i := range s.rows {
		r := &s.rows[i]
		k := t.rows[r.key]
		if k == nil {
			k = &track{}
			t.rows[r.key] = k
			k.sessions = float64(r.rate)
		} else if t.comparable && elapsed > 0 && k.seen == t.samples-1 {
			k.known = true
			k.sessions = perSecond(r.total, k.lastTotal, elapsed)
			k.in, k.out = perSecond(r.bytesIn, k.lastIn, elapsed), perSecond(r.bytesOut, k.lastOut, elapsed)
			k.errors = perSecond(r.errors, k.lost, elapsed)
		}
		k.lastTotal, k.lastIn, k.lastOut, k.lost, k.seen = r.total, r.bytesIn, r.bytesOut, r.errors, t.samples
		k.history = remember(k.history, k.sessions)
		if r.kind == frontend {
			t.in, t.out = t.in+k.in, t.out+k.out
		}
	}
	for name, k := range t.rows {
		if k.seen != t.samples {
			delete(t.rows, name)
		}
	}
	t.rate = remember(t.rate, float64(s.number("ConnRate")))
	t.addLoops(s.loops)
}

func (t *tracker) addLoops(loops []loop) {
	t.busy = t.busy[:0]
	if len(loops) == len(t.loops) {
		for i, l := range loops {
			busy, waiting := l.busy-t.loops[i].busy, l.waiting-t.loops[i].waiting
			if share := 0.0; busy+waiting > 0 {
				share = max(float64(busy)/float64(busy+waiting), 0)
				t.busy = append(t.busy, share)
			} else {
				t.busy = append(t.busy, share)
			}
		}
	}
	t.loops = loops
}

// perSecond is a counter's rate. One that was cleared meanwhile has none.
func perSecond(now, before int64, seconds float64) float64 {
	if now < before {
		return 0
	}
	return float64(now-before) / seconds
}

func remember(history []float64, value float64) []float64 {
	if len(history) >= historyLength {
		copy(history, history[1:])
		history = history[:historyLength-1]
	}
	return append(history, value)
}
