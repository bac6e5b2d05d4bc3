package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// statement is one keyword with its arguments, on its way into the model. What it belongs to is set: global always,
// proxy in a proxy or in defaults, bind or server (and socket) for their options.
type statement struct {
	*loader
	pos     Pos
	key     *Keyword
	word    string // the last word of the keyword as it stands, with what is in parentheses
	place   Sections
	args    []Word
	no      bool // "no" stands before it
	reset   bool // "default" stands before it
	global  *Global
	proxy   *Proxy
	bind    *Bind
	server  *Server
	socket  *StatsSocket
	listen  *StatsListen
	web     *Page // of listen
	dns     *Resolvers
	mail    *Mailers
	tenant  *Tenant
	ring    *Ring
	log     *RingServer
	several bool // the line makes more than one bind or server
}

func (s *statement) alert(format string, a ...any) {
	s.report(Diagnostic{Alert, s.pos, s.lead() + fmt.Sprintf(format, a...)})
}

func (s *statement) warn(format string, a ...any) {
	s.report(Diagnostic{Warning, s.pos, s.lead() + fmt.Sprintf(format, a...)})
}

// fail complains about an error that names what it is about.
func (s *statement) fail(err error) {
	s.report(Diagnostic{Alert, s.pos, strings.TrimSuffix(s.lead(), " ") + ": " + err.Error()})
}

// lead names the keyword, and the line that it is an option of.
func (s *statement) lead() string {
	switch s.place {
	case OnServer:
		return fmt.Sprintf("server '%s' : '%s' ", s.server.Name, s.key.Name)
	case OnBind, OnDefaultServer, OnStatsSocket, OnStatsListen, OnRingServer:
		return fmt.Sprintf("%s : '%s' ", s.place.Names()[0], s.key.Name)
	}
	return fmt.Sprintf("'%s' ", s.key.Name)
}

// check complains about an error.
func (s *statement) check(err error) {
	if err != nil {
		s.fail(err)
	}
}

// text is argument i, or empty.
func (s *statement) text(i int) string {
	if i < len(s.args) {
		return s.args[i].Text
	}
	return ""
}

// texts are all arguments.
func (s *statement) texts() []string {
	list := make([]string, len(s.args))
	for i, w := range s.args {
		list[i] = w.Text
	}
	return list
}

// number reads argument i as a decimal number within limits.
func (s *statement) number(i, low, high int) (int, bool) {
	n, err := strconv.Atoi(s.text(i))
	if err != nil || n < low || n > high || strings.HasPrefix(s.text(i), "+") {
		switch {
		case high == math.MaxInt32 && low == math.MinInt32:
			s.alert("expects a whole number, not '%s'", s.text(i))
		case high == math.MaxInt32:
			s.alert("expects a whole number of at least %d, not '%s'", low, s.text(i))
		default:
			s.alert("expects a whole number from %d to %d, not '%s'", low, high, s.text(i))
		}
		return 0, false
	}
	return n, true
}

// longest is what HAProxy's timers hold: 2^31-1 milliseconds.
const longest = math.MaxInt32 * time.Millisecond

// duration reads argument i as a time.
func (s *statement) duration(i int, unit time.Duration) (time.Duration, bool) {
	d, err := ParseDuration(s.text(i), unit)
	if err != nil {
		s.fail(err)
		return 0, false
	}
	if d > longest {
		s.alert("'%s' is longer than %s (about 24.8 days)", s.text(i), FormatDuration(longest))
		return 0, false
	}
	return d, true
}

// size reads argument i as a number of bytes.
func (s *statement) size(i int) (int, bool) {
	n, err := ParseSize(s.text(i))
	if err != nil {
		s.fail(err)
		return 0, false
	}
	if n > math.MaxInt32 {
		s.alert("'%s' is more than %d bytes", s.text(i), math.MaxInt32)
		return 0, false
	}
	return int(n), true
}

// one reads argument i as one of some words.
func (s *statement) one(i int, of ...string) (string, bool) {
	for _, word := range of {
		if s.text(i) == word {
			return word, true
		}
	}
	s.alert("expects one of %s, not '%s'%s", quoteAll(of), s.text(i), didYouMean(s.text(i), of))
	return "", false
}

// address reads argument i as one address.
func (s *statement) address(i int, o AddressOptions) (Address, bool) {
	text, ok := s.expanded(i)
	if !ok {
		return Address{}, false
	}
	a, err := ParseAddress(text, o)
	if err != nil {
		s.fail(err)
		return Address{}, false
	}
	return a, true
}

// expanded is argument i with the variables that are left in it.
func (s *statement) expanded(i int) (string, bool) {
	text, err := ExpandAddress(s.text(i), s.env)
	if err != nil {
		s.fail(err)
	}
	return text, err == nil
}

func quoteAll(words []string) string {
	return "'" + strings.Join(words, "', '") + "'"
}
