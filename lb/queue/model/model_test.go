package model

import (
	"os"
	"strings"
	"testing"
	"time"
)

// The searches that must find nothing. What the definitions mean stands at the head of queue.pml.
var sound = map[string]search{
	// One level.
	"pool/four loops, order":        {definitions: "-DLOOPS=4 -DHELD3=1 -DTIMEOUTS=1 -DORDER"},
	"pool/a stripe each":            {definitions: "-DLOOPS=3 -DSTRIPES=3 -DTIMEOUTS=1"},
	"pool/each loop twice":          {definitions: "-DLOOPS=3 -DROUNDS=2"},
	"pool/limit 2":                  {definitions: "-DLOOPS=4 -DLIMIT=2 -DHELD2=1 -DHELD3=1 -DTIMEOUTS=1"},
	"pool/limit 2, kept":            {definitions: "-DLOOPS=3 -DLIMIT=2 -DTIMEOUTS=1 -DKEEPS=1"},
	"pool/two servers":              {definitions: "-DLOOPS=3 -DSERVERS=2 -DTIMEOUTS=1 -DKEEPS=1"},
	"pool/every run ends":           {definitions: "-DLOOPS=3 -DTIMEOUTS=1", cycles: true},
	"pool/every run ends, limit 2":  {definitions: "-DLOOPS=3 -DLIMIT=2 -DHELD2=1 -DTIMEOUTS=1", cycles: true},
	"pool/four loops, none held":    {definitions: "-DLOOPS=4 -DTIMEOUTS=1", large: true},
	"pool/limit 2, both taken late": {definitions: "-DLOOPS=4 -DLIMIT=2 -DTIMEOUTS=1 -DKEEPS=1", large: true},

	// Both levels.
	"levels/the bound are best and worst": {definitions: "-DLOOPS=3 -DAT0=BOUND_A -DAT2=BOUND_A -DTIMEOUTS=1"},
	"levels/the bound is between":         {definitions: "-DLOOPS=3 -DAT1=BOUND_A -DTIMEOUTS=1"},
	"levels/two servers":                  {definitions: "-DLOOPS=3 -DSERVERS=2 -DAT0=BOUND_A -DAT2=BOUND_B -DTIMEOUTS=1 -DKEEPS=1"},
	"levels/a pool's beside a bound one":  {definitions: "-DLOOPS=3 -DSERVERS=2 -DAT0=BOUND_A -DAT1=BOUND_A -DHELD1=1 -DTIMEOUTS=1 -DKEEPS=1"},
	"levels/every run ends":               {definitions: "-DLOOPS=3 -DAT0=BOUND_A -DTIMEOUTS=1", cycles: true},
	"levels/every run ends, two servers":  {definitions: "-DLOOPS=3 -DSERVERS=2 -DAT0=BOUND_A -DAT2=BOUND_B -DTIMEOUTS=1", cycles: true},
	"levels/four loops, order":            {definitions: "-DLOOPS=4 -DAT0=BOUND_A -DAT2=BOUND_A -DHELD3=1 -DTIMEOUTS=1 -DORDER", large: true},

	// A server goes down, comes up.
	"open/down":                       {definitions: "-DLOOPS=3 -DSERVERS=2 -DAT0=BOUND_A -DHELD2=1 -DSCRIPT=CLOSE -DTIMEOUTS=1"},
	"open/up, limit 2":                {definitions: "-DLOOPS=2 -DLIMIT=2 -DAT0=BOUND_A -DSCRIPT=OPEN -DTIMEOUTS=1 -DKEEPS=1"},
	"open/down and up":                {definitions: "-DLOOPS=3 -DAT0=BOUND_A -DAT1=BOUND_A -DAT2=BOUND_A -DHELD0=1 -DSCRIPT=CLOSE_OPEN"},
	"open/down and up at once":        {definitions: "-DLOOPS=2 -DAT0=BOUND_A -DHELD1=1 -DSCRIPT=CLOSE_AND_OPEN"},
	"open/sent back, asks again":      {definitions: "-DLOOPS=2 -DSERVERS=2 -DAT0=BOUND_A -DAT1=BOUND_B -DSCRIPT=CLOSE_OPEN -DASKS=1 -DTIMEOUTS=1 -DKEEPS=1"},
	"open/every run ends":             {definitions: "-DLOOPS=2 -DAT0=BOUND_A -DAT1=BOUND_A -DSCRIPT=CLOSE_OPEN -DTIMEOUTS=1", cycles: true},
	"open/every run ends, asks again": {definitions: "-DLOOPS=2 -DSERVERS=2 -DAT0=BOUND_A -DAT1=BOUND_A -DHELD0=1 -DSCRIPT=CLOSE_OPEN -DASKS=1", cycles: true},
	"open/two bound, at once":         {definitions: "-DLOOPS=2 -DAT0=BOUND_A -DAT1=BOUND_A -DSCRIPT=CLOSE_AND_OPEN", large: true},
	"open/two servers, both levels":   {definitions: "-DLOOPS=3 -DSERVERS=2 -DAT0=BOUND_A -DHELD2=1 -DSCRIPT=CLOSE_OPEN", large: true},
	"open/all of that":                {definitions: "-DLOOPS=3 -DSERVERS=2 -DAT0=BOUND_A -DAT2=BOUND_B -DHELD2=1 -DSCRIPT=CLOSE_OPEN -DASKS=1", large: true},
	"open/three bound":                {definitions: "-DLOOPS=3 -DAT0=BOUND_A -DAT1=BOUND_A -DAT2=BOUND_A -DSCRIPT=CLOSE_OPEN -DTIMEOUTS=1", large: true},

	// A limit changes.
	"limit/raised":                {definitions: "-DLOOPS=2 -DSCRIPT=RAISE -DTIMEOUTS=1 -DKEEPS=1"},
	"limit/raised, both levels":   {definitions: "-DLOOPS=2 -DAT0=BOUND_A -DSCRIPT=RAISE -DTIMEOUTS=1 -DKEEPS=1"},
	"limit/lowered":               {definitions: "-DLOOPS=3 -DLIMIT=2 -DHELD0=1 -DHELD1=1 -DSCRIPT=LOWER -DTIMEOUTS=1 -DKEEPS=1"},
	"limit/lowered, raised":       {definitions: "-DLOOPS=3 -DLIMIT=2 -DHELD0=1 -DHELD1=1 -DSCRIPT=LOWER_RAISE"},
	"limit/opened, raised":        {definitions: "-DLOOPS=2 -DAT0=BOUND_A -DSCRIPT=OPEN_RAISE -DTIMEOUTS=1 -DKEEPS=1"},
	"limit/every run ends":        {definitions: "-DLOOPS=2 -DLIMIT=2 -DHELD0=1 -DSCRIPT=LOWER_RAISE -DTIMEOUTS=1", cycles: true},
	"limit/raised, one held":      {definitions: "-DLOOPS=3 -DHELD2=1 -DSCRIPT=RAISE -DKEEPS=1", large: true},
	"limit/raised, three wait":    {definitions: "-DLOOPS=3 -DAT1=BOUND_A -DHELD2=1 -DSCRIPT=RAISE -DKEEPS=1", large: true},
	"limit/opened, raised, three": {definitions: "-DLOOPS=3 -DAT0=BOUND_A -DHELD2=1 -DSCRIPT=OPEN_RAISE", large: true},
}

func TestSound(t *testing.T) {
	tools(t)
	model := source(t)
	for name, s := range sound {
		t.Run(name, func(t *testing.T) {
			if s.large && os.Getenv("MODEL_LARGE") == "" {
				t.Skip("takes minutes: MODEL_LARGE=1")
			}
			t.Parallel()
			r := s.run(t, model)
			if r.errors != "0" || r.violation != "" || !r.exhaustive {
				t.Fatalf("%s:\n%s", s.definitions, r.output)
			}
			t.Logf("%s states, %v", r.states, r.elapsed.Round(10*time.Millisecond))
		})
	}
}

// What spin says about a protocol that is broken.
const (
	stranded  = "assertion violated  !(stranded)"
	forgotten = "assertion violated  !(forgotten)"
	endless   = "non-progress cycle"
	twice     = "assertion violated (word["
	overtaken = "assertion violated ((key=="
)

// The broken protocols that are kept in the model, and what must be found in each.
var broken = map[string]struct {
	search
	finds string
}{
	"no recheck":                        {search{definitions: "-DNO_RECHECK -DLOOPS=2"}, stranded},
	"another predicate, server closed":  {search{definitions: "-DOTHER_PREDICATE -DLOOPS=1 -DSCRIPT=STAYS_CLOSED", cycles: true}, endless},
	"another predicate, a slot is free": {search{definitions: "-DOTHER_PREDICATE -DLOOPS=3 -DLIMIT=2 -DHELD1=1 -DHELD2=1 -DKEEPS=1"}, stranded},
	"release looks before it frees":     {search{definitions: "-DLOOK_FIRST -DLOOPS=2"}, stranded},
	"release looks at the counts only":  {search{definitions: "-DCOUNTS_ONLY -DLOOPS=2", cycles: true}, endless},
}

func TestBroken(t *testing.T) {
	tools(t)
	model := source(t)
	for name, b := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := b.run(t, model)
			if r.errors != "1" || !strings.HasPrefix(r.violation, b.finds) {
				t.Fatalf("%s: found %q, want %q\n%s", b.definitions, r.violation, b.finds, r.output)
			}
		})
	}
}

// Faults that are put into the sound protocol, to see that the searches above are not blind to them.
var faults = map[string]struct {
	search
	from, to string
	finds    string
}{
	"the recheck stops when it has served another": {
		search{definitions: "-DLOOPS=3 -DSERVERS=2 -DAT0=BOUND_A -DAT1=BOUND_A -DHELD1=1 -DKEEPS=1"},
		"got != me && got != NONE -> grant(s) }", "got != me && got != NONE -> grant(s) }; goto waits", stranded,
	},
	"a release that finds nobody does not look again": {
		search{definitions: "-DLOOPS=4 -DHELD3=1 -DTIMEOUTS=1"},
		"got == NONE -> got = 0; ok = false }", "got == NONE -> got = 0; ok = false; word[s]--; break }", stranded,
	},
	"a recheck that finds nobody does not look again": {
		search{definitions: "-DLOOPS=4 -DLIMIT=2 -DHELD2=1 -DHELD3=1 -DKEEPS=1"},
		"assert(!(heap[MINE] & BIT(me))); got = 0 }; release(s);", "got = 0 }; word[s]--;", stranded,
	},
	"a claim that does not compare": {
		search{definitions: "-DLOOPS=2"}, "word[s] == n -> word[s] = n + 1", "true -> word[s] = n + 1", twice,
	},
	"closing forgets those who wait": {
		search{definitions: "-DLOOPS=2 -DAT0=BOUND_A -DSCRIPT=CLOSE"}, "	sweep((s + 1) * STRIPES);", "", forgotten,
	},
	"a waiter does not see that its server was closed": {
		search{definitions: "-DLOOPS=2 -DAT0=BOUND_A -DSCRIPT=CLOSE"}, "		:: !open[s] -> cancel();", "		:: false -> cancel();", forgotten,
	},
	"opening serves nobody": {
		search{definitions: "-DLOOPS=1 -DSCRIPT=OPEN"}, "open[s] = true; fill(s)", "open[s] = true", stranded,
	},
	"a raised limit serves nobody": {
		search{definitions: "-DLOOPS=3 -DHELD2=1 -DSCRIPT=RAISE -DKEEPS=1"}, "limit[s] = to; fill(s)", "limit[s] = to", stranded,
	},
	"the next in the stripe is taken whatever its key": {
		search{definitions: "-DLOOPS=4 -DHELD3=1 -DTIMEOUTS=1 -DORDER"}, "got != NONE && got <= most", "got != NONE", overtaken,
	},
}

func TestFaults(t *testing.T) {
	tools(t)
	model := source(t)
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if n := strings.Count(model, f.from); n != 1 {
				t.Fatalf("the model has %q %d times", f.from, n)
			}
			r := f.run(t, strings.Replace(model, f.from, f.to, 1))
			if r.errors != "1" || !strings.HasPrefix(r.violation, f.finds) {
				t.Fatalf("%s: found %q, want %q\n%s", f.definitions, r.violation, f.finds, r.output)
			}
		})
	}
}
