package config

import (
	"strings"
	"testing"
)

func TestDirectives(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"the first branch that is met", ".if 0\na\n.elif 1\nb\n.elif 1\nc\n.else\nd\n.endif\ne\n", "4 [b]|10 [e]"},
		{"else", ".if 0\na\n.elif 0\nb\n.else\nc\n.endif\n", "6 [c]"},
		{"an empty condition is not met", ".if\na\n.elif \"$NONE\"\nb\n.else\nc\n.endif\n", "6 [c]"},
		{"nested", ".if 1\n.if 0\na\n.else\nb\n.endif\nc\n.else\n.if 1\nd\n.else\ne\n.endif\n.endif\nf\n", "5 [b]|7 [c]|15 [f]"},
		{"conditions of skipped branches are not read", ".if 1\na\n.elif nonsense\n.endif\n.if 0\n.if nonsense\n.elif nonsense\n.endif\n.endif\nb\n", "2 [a]|10 [b]"},
		{"comments and quotes", " .if 1 # always\na\n\".endif\" # end\n", "2 [a]"},
		{"words of a condition are joined with one space", ".if streq(\"a  b\",a   b) || streq(\"$HOME\",/root)\na\n.endif\n", "2 [a]"},
		{"messages", ".diag d\n.notice 'a b'\n.warning \"$HOME\"\n.alert\n",
			"DIAG f:1 'd'|NOTICE f:2 'a b'|WARNING f:3 '/root'|ALERT f:4 ''"},
		{"messages of skipped branches are not given", ".if 0\n.alert a\n.alert a b\n.bogus\n.endif\n", ""},
		{"a message is one word", ".notice a b\n", "ALERT f:1 '.notice' takes one argument; put the message in quotes"},
		{"a message may come from a list", ".notice \"${NONE[*]}\"\n", "NOTICE f:1 ''"},
		{"unknown", ".notise a\n.x\n", "ALERT f:1 unknown directive '.notise'; did you mean '.notice'?|ALERT f:2 unknown directive '.x'"},
		{"without .if", ".else\n.elif 1\n.endif\na\n",
			"ALERT f:1 '.else' without '.if'|ALERT f:2 '.elif' without '.if'|ALERT f:3 '.endif' without '.if'|4 [a]"},
		{"after .else", ".if 0\n.else\na\n.else\nb\n.elif 1\nc\n.endif\n",
			"3 [a]|ALERT f:4 '.else' after the '.else' of its '.if' in line 1|5 [b]|ALERT f:6 '.elif' after the '.else' of its '.if' in line 1|7 [c]"},
		{"arguments too many", ".if 0\n.else x\na\n.endif y\nb\n",
			"ALERT f:2 '.else' takes no argument, but 'x' follows|3 [a]|ALERT f:4 '.endif' takes no argument, but 'y' follows|5 [b]"},
		{"not closed", "a\n.if 1\nb\n", "1 [a]|3 [b]|ALERT f:2 this '.if' has no '.endif'"},
		{"a condition that is wrong skips all branches", ".if defind(A)\na\n.elif 1\nb\n.else\nc\n.endif\nd\n",
			"ALERT f:1 '.if': unknown predicate 'defind'; did you mean 'defined'? in the condition 'defind(A)', at position 1|8 [d]"},
		{"skipped lines must still be lines", ".if 0\n\"a\n$a\n.endif\n", "ALERT f:2 this quote is never closed, at position 1:"},
	}
	for _, test := range tests {
		got := strings.Join(readAll(testEnv(), File{"f", []byte(test.text)}), "|")
		if got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

func TestNestingIsBounded(t *testing.T) {
	for depth, want := range map[int]string{maxBlocks: "a", maxBlocks + 1: "ALERT f:101 more than 100 nested '.if'", 5000: "ALERT f:101 more than 100 nested '.if'"} {
		text := strings.Repeat(".if 1\n", depth) + "a\n" + strings.Repeat(".endif\n", depth)
		got := strings.Join(readAll(testEnv(), File{"f", []byte(text)}), "|")
		if !strings.Contains(got, want) && !strings.Contains(got, "["+want+"]") || strings.Count(got, "ALERT") > 1 {
			t.Errorf("%d blocks: %s", depth, got)
		}
	}
}
