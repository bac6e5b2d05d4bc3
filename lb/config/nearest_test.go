package config

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	words := []string{"balance", "bind", "server", "backlog", "maxconn", "mode", "id", "timeout"}
	tests := []struct{ word, want string }{
		{"blance", "balance"},
		{"balanc", "balance"},
		{"ballance", "balance"},
		{"blaance", "balance"},
		{"BALANCE", "balance"},
		{"sevrer", "server"},
		{"bnid", "bind"},
		{"mxconn", "maxconn"},
		{"maxcon", "maxconn"},
		{"ixd", "id"},
		{"x", ""},
		{"", ""},
		{"frontend", ""},
		{"bogus", ""},
		{"\xff\xff\xff\xff", ""},
		{strings.Repeat("\xff", 64), ""},
		{strings.Repeat("timeout", 1000), ""},
	}
	for _, test := range tests {
		if got := Nearest(test.word, words); got != test.want {
			t.Errorf("%.20q: got %q, want %q", test.word, got, test.want)
		}
	}
	if got := Nearest("abcd", []string{"abce", "abcf", "", strings.Repeat("x", 100)}); got != "abce" {
		t.Errorf("of two that are as near, got %q", got)
	}
}
