package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Condition is what stands behind a rule of a statistics listener: "if" or "unless", and tests of the request. The zero value
// is always met.
type Condition struct {
	Words []string // as they stand, with "if" or "unless"

	unless bool
	any    [][]requestTest // one of them must hold as a whole
}

// requestTest is one test.
type requestTest struct {
	negated  bool
	kind     string // "src", "path", "path_beg", or "always"
	networks []netip.Prefix
	texts    []string
	fold     bool // upper and lower case are one
}

// Met tells whether a request meets the condition. source is invalid for a client of a unix socket.
func (c *Condition) Met(source netip.Addr, path string) bool {
	if len(c.Words) == 0 {
		return true
	}
	source = source.Unmap()
	met := slices.ContainsFunc(c.any, func(all []requestTest) bool {
		return !slices.ContainsFunc(all, func(t requestTest) bool { return !t.holds(source, path) })
	})
	return met != c.unless
}

func (t *requestTest) holds(source netip.Addr, path string) bool {
	found := false
	if t.fold {
		path = strings.ToLower(path)
	}
	switch t.kind {
	case "always":
		found = true
	case "src":
		found = slices.ContainsFunc(t.networks, func(n netip.Prefix) bool { return n.Contains(source) })
	case "path":
		found = slices.Contains(t.texts, path)
	case "path_beg":
		found = slices.ContainsFunc(t.texts, func(text string) bool { return strings.HasPrefix(path, text) })
	}
	return found != t.negated
}

// localhost is the ACL that HAProxy has under this name.
var localhost = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// namedTests are those that need no braces.
var namedTests = map[string]requestTest{
	"TRUE": {kind: "always"}, "FALSE": {kind: "always", negated: true}, "LOCALHOST": {kind: "src", networks: localhost},
}

// parseCondition reads "if" or "unless" and what follows: tests that all must hold, in alternatives with "or" between them.
func parseCondition(words []string) (Condition, error) {
	c := Condition{Words: words, any: [][]requestTest{nil}}
	if len(words) == 0 || words[0] != "if" && words[0] != "unless" {
		return c, fmt.Errorf("expects 'if' or 'unless' with a condition, not '%s'", strings.Join(words, " "))
	}
	c.unless = words[0] == "unless"
	negated, wanted := false, true // wanted: a test must follow
	for words = words[1:]; len(words) > 0; {
		word := words[0]
		words = words[1:]
		for strings.HasPrefix(word, "!") {
			negated, wanted, word = !negated, true, word[1:]
		}
		var test requestTest
		switch {
		case word == "":
			continue
		case word == "or" || word == "||":
			if wanted {
				return c, errors.New("'or' needs a test on both sides")
			}
			c.any, wanted = append(c.any, nil), true
			continue
		case word == "{":
			end := slices.Index(words, "}")
			if end < 0 {
				return c, errors.New("no '}' to end what stands in braces")
			}
			var err error
			if test, err = parseTest(words[:end]); err != nil {
				return c, err
			}
			words = words[end+1:]
		default:
			var known bool
			if test, known = namedTests[word]; !known {
				return c, fmt.Errorf("the condition '%s' %s: here it can be made of 'TRUE', 'FALSE', 'LOCALHOST', { src <address>... }, { path <text>... } and { path_beg <text>... }", word, notYet)
			}
		}
		test.negated = test.negated != negated
		last := len(c.any) - 1
		c.any[last] = append(c.any[last], test)
		negated, wanted = false, false
	}
	if wanted {
		return c, errors.New("the condition ends where a test should follow")
	}
	return c, nil
}

// parseTest reads what stands in braces.
func parseTest(words []string) (requestTest, error) {
	var t requestTest
	if len(words) == 0 {
		return t, errors.New("nothing stands in the braces")
	}
	t.kind, words = words[0], words[1:]
	if !slices.Contains([]string{"src", "path", "path_beg"}, t.kind) {
		return t, fmt.Errorf("'%s' %s here, only 'src', 'path' and 'path_beg' are", t.kind, notYet)
	}
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		flag := words[0]
		words = words[1:]
		switch {
		case flag == "-i" && t.kind != "src":
			t.fold = true
			continue
		case flag == "--":
		case flag == "-m" && t.kind != "src" && len(words) > 0 && (words[0] == "str" || words[0] == "beg"):
			if words[0] == "beg" {
				t.kind = "path_beg"
			}
			words = words[1:]
			continue
		default:
			return t, fmt.Errorf("the flag '%s' of '%s' %s", flag, t.kind, notYet)
		}
		break
	}
	if len(words) == 0 {
		return t, fmt.Errorf("'%s' expects a value", t.kind)
	}
	for _, word := range words {
		if t.kind != "src" {
			if t.fold {
				word = strings.ToLower(word)
			}
			t.texts = append(t.texts, word)
			continue
		}
		network, ok := parseNetwork(word)
		if !ok {
			return t, fmt.Errorf("'%s' is no address or network", word)
		}
		t.networks = append(t.networks, network)
	}
	return t, nil
}
