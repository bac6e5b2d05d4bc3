package admin

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// showSess is "show sess [<id>|all]".
func (s *session) showSess(arguments []string) {
	if len(arguments) == 0 {
		s.process.Sessions(false, func(some []Session) bool {
			for i := range some {
				s.sessionLine(&some[i])
			}
			return s.answer.err == nil
		})
		return
	}
	all := arguments[0] == "all"
	id, ok := parseID(arguments[0])
	if !all && !ok {
		s.answer.fail("Session not found.")
		return
	}
	found := all
	s.process.Sessions(true, func(some []Session) bool {
		for i := range some {
			if all || some[i].ID == id {
				found = true
				s.sessionDetails(&some[i])
			}
		}
		return s.answer.err == nil && (all || !found)
	})
	if !found {
		s.answer.fail("Session not found.")
	}
}

// parseID reads the id of a session, as the listing has it.
func parseID(text string) (uint64, bool) {
	hex, found := strings.CutPrefix(text, "0x")
	id, err := strconv.ParseUint(hex, 16, 64)
	return id, found && err == nil && id != 0
}

func orNone(name, none string) string {
	if name == "" {
		return none
	}
	return name
}

// protocol is how a session's client came.
func (x *Session) protocol() string {
	switch {
	case x.Unix:
		return "unix_stream"
	case x.IPv6:
		return "tcpv6"
	}
	return "tcpv4"
}

// in is a time until something, as the listing has it: empty for never.
func in(d time.Duration) string {
	switch {
	case d < 0:
		return ""
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
	case d < time.Minute:
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
	return strconv.FormatInt(int64(d/time.Minute), 10) + "m" + strconv.FormatInt(int64(d/time.Second%60), 10) + "s"
}

func (s *session) sessionLine(x *Session) {
	s.answer.printf("0x%x: proto=%s src=%s fe=%s be=%s srv=%s loop=%d st=%s age=%s in=%d out=%d rq[i=%d] rp[i=%d] scf=[fd=%d] scb=[fd=%d] exp=%s rc=%d\n",
		x.ID, x.protocol(), x.Client, x.Frontend, orNone(x.Backend, "<NONE>"), orNone(x.Server, "<none>"), x.Loop+1, x.Stage, in(x.Age),
		x.In, x.Out, x.ToServer, x.ToClient, fd(x.ClientFD), fd(x.ServerFD), in(x.Expires), x.Retries)
}

func fd(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

func known(a netip.AddrPort) string {
	if !a.IsValid() {
		return "-"
	}
	return a.String()
}

func (s *session) sessionDetails(x *Session) {
	a := s.answer
	a.printf("0x%x: [%s] id=%d proto=%s source=%s\n", x.ID, x.Accepted.Format("02/Jan/2006:15:04:05.000000"), x.ID, x.protocol(), x.Client)
	a.printf("  loop=%d stage=%s age=%s expires=%s conn_retries=%d\n", x.Loop+1, x.Stage, in(x.Age), orNone(in(x.Expires), "<NEVER>"), x.Retries)
	a.printf("  frontend=%s (mode=tcp), listener=%s addr=%s fd=%d\n", x.Frontend, orNone(x.Bind, "?"), known(x.Destination), fd(x.ClientFD))
	a.printf("  backend=%s (mode=tcp) addr=%s\n", orNone(x.Backend, "<NONE>"), known(x.Source))
	a.printf("  server=%s addr=%s fd=%d\n", orNone(x.Server, "<NONE>"), known(x.Target), fd(x.ServerFD))
	a.printf("  req: total=%d held=%d  res: total=%d held=%d  spliced=%v redirected=%v\n", x.In, x.ToServer, x.Out, x.ToClient, x.Spliced, x.Redirected)
}
