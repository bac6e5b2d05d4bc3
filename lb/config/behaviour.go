package config

import (
	"math"
	"strconv"
	"time"
)

// The functions here make the behaviour of the many keywords that fill one field. at gives the field, of the global
// section, proxy, bind or server that the statement or printer stands in; it is nil where there is nothing to fill.

// target is what a statement and a printer have in common.
type target struct {
	global *Global
	proxy  *Proxy
	bind   *Bind
	server *Server
	socket *StatsSocket
	listen *StatsListen
	web    *Page // of listen
	dns    *Resolvers
	mail   *Mailers
	tenant *Tenant
	ring   *Ring
	log    *RingServer
}

func (s *statement) target() target {
	return target{s.global, s.proxy, s.bind, s.server, s.socket, s.listen, s.web, s.dns, s.mail, s.tenant, s.ring, s.log}
}

// number fills an int, which is printed unless it is the default.
func number(at func(target) *int, low, high, standard int) behaviour {
	return behaviour{
		parse: func(s *statement) {
			if n, ok := s.number(0, low, high); ok {
				*at(s.target()) = n
			}
		},
		print: func(p *printer) {
			if n := *at(p.target); n != standard {
				p.write(strconv.Itoa(n))
			}
		},
	}
}

// count fills an int from 0 up, where 0 is "not set".
func count(at func(target) *int) behaviour { return number(at, 0, math.MaxInt32, 0) }

// bytesOf fills a size in bytes, which is above 0.
func bytesOf(at func(target) *int) behaviour {
	return behaviour{
		parse: func(s *statement) {
			if n, ok := s.size(0); ok && n == 0 {
				s.alert("expects a size above 0")
			} else if ok {
				*at(s.target()) = n
			}
		},
		print: func(p *printer) {
			if n := *at(p.target); n != 0 {
				p.write(strconv.Itoa(n))
			}
		},
	}
}

// span fills a time, which is printed unless it is the default. unit is what a bare number counts.
func span(at func(target) *time.Duration, unit, standard time.Duration) behaviour {
	return behaviour{
		parse: func(s *statement) {
			if d, ok := s.duration(0, unit); ok {
				*at(s.target()) = d
			}
		},
		print: func(p *printer) {
			if d := *at(p.target); d != standard {
				p.write(FormatDuration(d))
			}
		},
	}
}

// text fills a string with one word.
func text(at func(target) *string) behaviour {
	return behaviour{
		parse: func(s *statement) {
			if s.text(0) == "" {
				s.alert("expects %s, not an empty word", s.key.Syntax)
				return
			}
			*at(s.target()) = s.text(0)
		},
		print: func(p *printer) {
			if v := *at(p.target); v != "" {
				p.write(v)
			}
		},
	}
}

// choice fills a string with one of some words.
func choice(at func(target) *string, standard string, of ...string) behaviour {
	return behaviour{
		parse: func(s *statement) {
			if word, ok := s.one(0, of...); ok {
				*at(s.target()) = word
			}
		},
		print: func(p *printer) {
			if v := *at(p.target); v != standard {
				p.write(v)
			}
		},
	}
}

// toggle sets a bool; "no" unsets it and "default" gives the standard.
func toggle(at func(target) *bool, standard bool) behaviour {
	return behaviour{
		parse: func(s *statement) {
			switch {
			case s.reset:
				*at(s.target()) = standard
			default:
				*at(s.target()) = !s.no
			}
		},
		print: func(p *printer) {
			if on := *at(p.target); on != standard {
				p.negate = !on
				p.write()
			}
		},
	}
}

// off unsets a bool, as "no-backup" does; "backup" prints it.
func off(at func(target) *bool) behaviour {
	return behaviour{parse: func(s *statement) { *at(s.target()) = false }}
}

// addressOf fills an address.
func addressOf(at func(target) **Address, o AddressOptions) behaviour {
	return behaviour{
		parse: func(s *statement) {
			if a, ok := s.address(0, o); ok {
				*at(s.target()) = &a
			}
		},
		print: func(p *printer) {
			if a := *at(p.target); a != nil {
				p.write(a.String())
			}
		},
	}
}

// ignored is the behaviour of what has no effect here.
func ignored() behaviour { return behaviour{parse: func(*statement) {}} }
