package statefile

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// field is one column.
type field struct {
	name   string
	format func(e *Entry) string
	parse  func(e *Entry, word string) bool // false: the word has no meaning
}

// leastFields is how many fields a line must have: up to srvrecord, as HAProxy 2.6 demands.
const leastFields = 20

// none stands for an empty field.
const none = "-"

// fields are the columns, in their order.
var fields = [...]field{
	loose("be_id", 1<<31-1, func(e *Entry) *int { return &e.BackendID }),
	word("be_name", func(e *Entry) *string { return &e.Backend }),
	loose("srv_id", 1<<31-1, func(e *Entry) *int { return &e.ServerID }),
	word("srv_name", func(e *Entry) *string { return &e.Server }),
	address("srv_addr", func(e *Entry) *netip.Addr { return &e.Address }),
	number("srv_op_state", 0, Stopping, func(e *Entry) *Operation { return &e.Operation }),
	number("srv_admin_state", 0, adminEnd-1, func(e *Entry) *Admin { return &e.Admin }),
	number("srv_uweight", 0, 256, func(e *Entry) *int { return &e.Weight }),
	number("srv_iweight", 0, 256, func(e *Entry) *int { return &e.InitialWeight }),
	{
		"srv_time_since_last_change",
		func(e *Entry) string { return strconv.FormatInt(int64(max(e.SinceChange, 0)/time.Second), 10) },
		func(e *Entry, word string) bool {
			n, err := strconv.ParseInt(word, 10, 32)
			e.SinceChange = time.Duration(max(n, 0)) * time.Second // a clock that was set back gives less than nothing
			return err == nil
		},
	},
	{
		"srv_check_status",
		func(e *Entry) string { return strconv.Itoa(max(slices.Index(checkStatuses[:], e.CheckStatus), 0)) },
		func(e *Entry, word string) bool {
			n, err := strconv.Atoi(word)
			if err != nil || n < 0 || n >= len(checkStatuses) {
				return false
			}
			e.CheckStatus = checkStatuses[n]
			return true
		},
	},
	number("srv_check_result", 0, ResultConditional, func(e *Entry) *CheckResult { return &e.CheckResult }),
	number("srv_check_health", -1<<31, 1<<31-1, func(e *Entry) *int { return &e.Health }),
	number("srv_check_state", 0, checkEnd-1, func(e *Entry) *CheckState { return &e.Check }),
	number("srv_agent_state", 0, checkEnd-1, func(e *Entry) *CheckState { return &e.Agent }),
	flag("bk_f_forced_id", func(e *Entry) *bool { return &e.BackendIDForced }),
	flag("srv_f_forced_id", func(e *Entry) *bool { return &e.ServerIDForced }),
	word("srv_fqdn", func(e *Entry) *string { return &e.Name }),
	number("srv_port", 0, 65535, func(e *Entry) *int { return &e.Port }),
	word("srvrecord", func(e *Entry) *string { return &e.SRVRecord }),
	flag("srv_use_ssl", func(e *Entry) *bool { return &e.TLS }),
	loose("srv_check_port", 65535, func(e *Entry) *int { return &e.CheckPort }),
	address("srv_check_addr", func(e *Entry) *netip.Addr { return &e.CheckAddress }),
	address("srv_agent_addr", func(e *Entry) *netip.Addr { return &e.AgentAddress }),
	loose("srv_agent_port", 65535, func(e *Entry) *int { return &e.AgentPort }),
}

// checkStatuses are the statuses by their numbers. No document has the numbers: HAProxy 2.6 was given each one in a file and
// asked by "show stat". Those without a status of their own are "UNK".
var checkStatuses = [...]string{
	"UNK", "INI", "UNK", "CHECKED", "HANA", "SOCKERR", "L4OK", "L4TOUT", "L4CON", "L6OK", "L6TOUT",
	"L6RSP", "L7TOUT", "L7RSP", "UNK", "L7OK", "L7OKC", "L7STS", "PROCERR", "PROCTOUT", "PROCOK",
}

func number[T ~int | ~uint8](name string, least, most T, of func(*Entry) *T) field {
	return field{
		name, func(e *Entry) string { return strconv.Itoa(int(*of(e))) },
		func(e *Entry, word string) bool {
			n, err := strconv.Atoi(word)
			if err != nil || n < int(least) || n > int(most) {
				return false
			}
			*of(e) = T(n)
			return true
		},
	}
}

// loose is a number that nothing depends on, or where anything that is none means "not given".
func loose(name string, most int, of func(*Entry) *int) field {
	f := number(name, 0, most, of)
	strict := f.parse
	f.parse = func(e *Entry, word string) bool {
		strict(e, word)
		return true
	}
	return f
}

func word(name string, of func(*Entry) *string) field {
	return field{
		name, func(e *Entry) string {
			if text := *of(e); text != "" {
				return text
			}
			return none
		},
		func(e *Entry, word string) bool {
			if *of(e) = word; word == none {
				*of(e) = ""
			}
			return true
		},
	}
}

// address is a field that is an IP address or nothing. A word that is neither counts as nothing, as with HAProxy.
func address(name string, of func(*Entry) *netip.Addr) field {
	return field{
		name, func(e *Entry) string {
			if a := *of(e); a.IsValid() {
				return a.WithZone("").String()
			}
			return none
		},
		func(e *Entry, word string) bool {
			if a, err := netip.ParseAddr(word); err == nil {
				*of(e) = a.WithZone("")
			}
			return true
		},
	}
}

func flag(name string, of func(*Entry) *bool) field {
	return field{
		name, func(e *Entry) string {
			if *of(e) {
				return "1"
			}
			return "0"
		},
		func(e *Entry, word string) bool {
			n, err := strconv.Atoi(word)
			*of(e) = n != 0
			return err == nil
		},
	}
}

// parseEntry reads one line's words. wrong lists the fields without a meaning; empty: there is none.
func parseEntry(words []string) (e Entry, wrong string) {
	var complaints []string
	for i, f := range fields[:min(len(words), len(fields))] {
		if !f.parse(&e, words[i]) {
			complaints = append(complaints, fmt.Sprintf("invalid %s value '%s'", f.name, words[i]))
		}
	}
	return e, strings.Join(complaints, ", ")
}
