package config

import (
	"slices"
	"strings"
	"testing"
)

// TestEvaluateLine holds what "haproxy -cc" 2.6.12 answers, but where said.
func TestEvaluateLine(t *testing.T) {
	tests := map[string]string{
		"met": `1
			-1
			12
			+1
			99999999999999999999
			!0
			! 0
			!!1
			(1)
			( 1 )
			((((((((((1))))))))))
			1&&1
			0 || 1
			1 || 0 && 0
			0 && 0 || 1 && 1
			!(1 && 0)
			1 && !0 && (0||1)
			"1"
			defined(HOME)
			defined("HOME")
			!defined(NONE) && 1
			streq(a,a)
			streq(,)
			streq( a, a)
			streq(a ,a )
			streq("$HOME",/root)
			streq("a b",a b)
			streq("a  b","a  b")
			streq(a b,a    b)
			'streq("a,b","a,b")'
			'streq("a)","a)")'
			'streq("a\"b",a\"b)'
			'streq(a\tb,a'"\t"'b)'
			'streq("a\nb",a\nb)'
			'streq(a\\b,a\b)'
			'streq(a\ b,a b)'
			'streq(a(b,a(b)'
			'streq("x"y"z",xyz)'
			streq(\'a)\',\'a)\')
			strneq(a,b)
			strneq(a , a)
			feature(EPOLL)
			feature(NS) && feature(PROMEX) && feature(SYSTEMD)
			version_atleast(2)
			version_atleast(2.6)
			version_atleast( 2.6)
			version_atleast(2.6-dev1)
			version_atleast(2.6.12)
			version_atleast(2.6.12+deb12u4)
			version_before(2.6.13)
			version_before(2.6.12-1)
			version_before(2.6.12.1)
			version_before(2.7-dev1)
			version_before(3)
			enabled(SPLICE)
			strstr(abc,b)
			strstr(a,)`, // enabled and strstr are those of later versions
		"not met": `0
			00
			-0
			!1
			1 && 0
			(1 || 0) && 0
			defined(NONE)
			defined()
			defined( HOME)
			defined(.FILE)
			streq(a,b)
			streq( a,a)
			streq(a,A)
			'streq("a\xb",aab)'
			'streq(a\x41,aA)'
			strneq(a,a)
			feature(epoll)
			feature(QUIC)
			feature(OPENSSL)
			feature(EPO)
			feature()
			version_atleast(2.6.13)
			version_atleast(2.7)
			version_atleast(2.7-dev1)
			version_atleast(99999999999999999999)
			version_before(2.6.12)
			version_before(2.6-dev99)
			version_before(2.6.x)
			strstr(b,abc)
			enabled(KQUEUE)
			enabled(NONE)`,
		"wrong": `12x
			1 1
			1.5
			!
			()
			!()
			(1
			1)
			1 & 1
			1 |  | 1
			1 &&
			1 ||
			&& 1
			0 && foo
			1 || foo
			foo
			foo()
			STREQ(a,a)
			- 1
			$HOME
			defined(HOME,x)
			defined(HOME)b
			streq(a)
			streq()
			streq
			streq(a,b,c)
			streq(a,a) b
			streq (a,a)
			streq(a,(b))
			streq(a,a
			streq("a,a)
			streq("a,b","a,b")
			'streq("a,a)'
			'streq(a\,b,"a,b")'
			'streq(a,"b'
			"${HOME"
			version_atleast(abc)
			version_atleast()
			version_atleast(-1)
			defined`, // HAProxy takes those versions for 0.0, and a defined without argument for false
	}
	for want, lines := range tests {
		for _, line := range strings.Split(lines, "\n") {
			line = strings.TrimSpace(line)
			met, err := EvaluateLine(line, testEnv())
			got := map[bool]string{true: "met", false: "not met"}[met]
			if err != nil {
				got = "wrong"
			}
			if got != want {
				t.Errorf("%s is %s (%v), want %s", line, got, err, want)
			}
		}
	}
	if met, err := EvaluateLine("", testEnv()); met || err != nil {
		t.Errorf("an empty condition is %v, %v", met, err)
	}
}

func TestConditionProblems(t *testing.T) {
	tests := []struct{ text, want string }{
		{"foo", "unknown predicate 'foo' in the condition 'foo', at position 1"},
		{"1 && strteq(a,a)", "unknown predicate 'strteq'; did you mean 'streq'? in the condition '1 && strteq(a,a)', at position 6"},
		{"streq(a)", "'streq' takes 2 argument(s) in parentheses, not 1 in the condition 'streq(a)', at position 1"},
		{"1 ||", "a condition is missing in the condition '1 ||', at position 5"},
		{"(1", "no ')' to end what stands in parentheses in the condition '(1', at position 3"},
		{"streq(a,a", "no ')' after the arguments in the condition 'streq(a,a', at position 10"},
		{"streq(a,'a)", "the quote ' is never closed in the condition 'streq(a,'a)', at position 12"},
		{"1 x", "unexpected 'x' in the condition '1 x', at position 3"},
		{"version_before(x)", "'version_before': 'x' is not a version; one looks like 2.6.12 in the condition 'version_before(x)', at position 1"},
		{strings.Repeat("!", 101) + "1", "more than 100 nested parentheses and negations in the condition '" + strings.Repeat("!", 101) + "1', at position 101"},
	}
	for _, test := range tests {
		if _, err := Evaluate(test.text, testEnv()); problem(err) != test.want {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
	for _, deep := range []string{strings.Repeat("!", 98) + "1", strings.Repeat("(", 99) + "1" + strings.Repeat(")", 99)} {
		if met, err := Evaluate(deep, testEnv()); !met || err != nil {
			t.Errorf("%s: %v", deep, err)
		}
	}
}

func TestLanguageVersion(t *testing.T) {
	if parts, err := parseVersion(LanguageVersion); err != nil || parts != languageVersion {
		t.Errorf("%s is %v", LanguageVersion, parts)
	}
	ordered := []string{"1.9", "2.0-dev1", "2.0-dev7", "2.0-dev7-12", "2.0-dev7-a1b2c3-13", "2", "2.0.1", "2.6.12", "2.6.12-5", "2.6.13", "2.10"}
	for i := 1; i < len(ordered); i++ {
		a, _ := parseVersion(ordered[i-1])
		b, _ := parseVersion(ordered[i])
		if slices.Compare(a[:], b[:]) >= 0 {
			t.Errorf("%s %v does not come before %s %v", ordered[i-1], a, ordered[i], b)
		}
	}
}
