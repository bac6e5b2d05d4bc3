package admin

import (
	"errors"
	"strings"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
)

// waitHelp is the answer to "wait -h".
const waitHelp = `Usage: wait {-h|<delay>} [<condition> [<arguments>]]
  - '<delay>' is how long to wait at most, an hour at the longest; in milliseconds unless it has a unit.
  Conditions that end it before:
    srv-removable <backend>/<server> : the server can be deleted; at once, and failed, if waiting does not help
    srv-unused <backend>/<server>    : the server has no flow, and nobody waits for it
`

// pollEvery is how often a condition is looked at.
const pollEvery = 10 * time.Millisecond

// wait is "wait {-h|<delay>} [<condition> <arguments>]": it holds the connection's next commands back. It ends early when the process does.
func (s *session) wait(arguments []string) {
	if first(arguments) == "-h" {
		s.answer.printf("%s", waitHelp)
		return
	}
	d, ok := span(first(arguments), time.Millisecond)
	if !ok || d > time.Hour {
		s.answer.fail("Expects a duration of at most an hour, in milliseconds unless it has a unit.")
		return
	}
	until := func() (done bool, why string, err error) { return false, "", nil }
	condition := ""
	if len(arguments) > 1 {
		condition = arguments[1]
		x := (*server)(nil)
		switch condition {
		case "srv-removable", "srv-unused":
			if x = s.server(arguments[2:]); x == nil {
				return
			}
		default:
			s.answer.fail("Unknown condition '%s'; there are 'srv-removable' and 'srv-unused'.", condition)
			return
		}
		until = func() (bool, string, error) {
			err := x.Removable()
			switch {
			case err == nil, condition == "srv-unused" && x.Served() == 0 && x.Queued() == 0:
				return true, "", nil
			case errors.Is(err, backend.ErrInUse), condition == "srv-unused":
				return false, removalText(backend.ErrInUse), nil
			}
			return false, "", err
		}
	}
	if s.answer.flush() != nil {
		return
	}
	s.waitFor(d, condition != "", until)
}

// waitFor waits until a condition is met, if there is one, or the time is up.
func (s *session) waitFor(d time.Duration, conditional bool, until func() (done bool, why string, err error)) {
	end := time.NewTimer(d)
	defer end.Stop()
	poll := make(<-chan time.Time)
	if conditional {
		ticker := time.NewTicker(pollEvery)
		defer ticker.Stop()
		poll = ticker.C
	}
	for expired := false; ; {
		done, why, err := until()
		switch {
		case err != nil:
			s.answer.fail("Failed. %s", removalText(err))
			return
		case done, expired && !conditional:
			s.answer.message(severityInfo, "Done.")
			return
		case expired:
			s.answer.fail("Wait delay expired. %s", why)
			return
		}
		select {
		case <-poll:
		case <-end.C:
			expired = true
		case <-s.cli.quit:
			s.answer.fail("Interrupted.")
			return
		}
	}
}

// removalText is why a server could not be removed, in words that people's tools know.
func removalText(err error) string {
	for _, known := range []struct {
		err  error
		text string
	}{
		{backend.ErrRemoved, "No such server."},
		{backend.ErrNotInMaintenance, "Only servers in maintenance mode can be deleted."},
		{backend.ErrFollowed, "This server cannot be removed at runtime due to other configuration elements pointing to it."},
		{backend.ErrInUse, "Server still has connections attached to it, cannot remove it."},
	} {
		if errors.Is(err, known.err) {
			return known.text
		}
	}
	return strings.TrimSuffix(err.Error(), ".") + "."
}
