package config

import (
	"fmt"
	"strings"
	"testing"
)

// readAll gives what a reader finds: words in brackets, and diagnostics by severity, place and the first line of their text.
func readAll(env *Env, files ...File) []string {
	var found []string
	r := NewReader(files, env, func(d Diagnostic) {
		text, _, _ := strings.Cut(d.Text, "\n")
		found = append(found, fmt.Sprintf("%s %s:%d %s", d.Severity, d.Pos.File, d.Pos.Line, text))
	})
	for {
		line, ok := r.Next()
		if !ok {
			return found
		}
		var words strings.Builder
		for _, word := range line.Words {
			words.WriteString("[" + word.Text + "]")
		}
		found = append(found, fmt.Sprintf("%d %s", line.Pos.Line, words.String()))
		if line.Words[0].Text == "section" {
			r.SetSection(line.Words[1].Text)
		}
	}
}

func testEnv() *Env {
	return NewEnv([]string{"HOME=/root", "LIST= x  y ", "BLANK=", "SPACE= ", "QUOTE=a\"b'c#d$HOME"})
}

// TestWords holds what "haproxy -c" 2.6.12 makes of ".notice LINE" and of unknown keywords, but where said.
func TestWords(t *testing.T) {
	tests := []struct{ line, want string }{
		{`a b`, `1 [a][b]`},
		{"\ta \v\fb\t ", `1 [a][b]`},
		{`a b # c d`, `1 [a][b]`},
		{`a#b`, `1 [a]`},
		{`# a`, ``},
		{`   `, ``},
		{``, ``},
		{`a\#b \# c`, `1 [a#b][#][c]`},
		{`a "b c" d`, `1 [a][b c][d]`},
		{`a 'b c' d`, `1 [a][b c][d]`},
		{`a "b#c" 'd#e'`, `1 [a][b#c][d#e]`},
		{`a"b"'c'd`, `1 [abcd]`},
		{`a "b'c" 'd"e'`, `1 [a][b'c][d"e]`},
		{`a b\ c\ `, `1 [a][b c ]`},
		{`a\\b "a\\b" 'a\\b'`, `1 [a\b][a\b][a\\b]`},
		{`a\"b\' "a\"b\'"`, `1 [a"b'][a"b']`},
		{`a\x41\x4a\x4A\x7e`, `1 [aAJJ~]`},
		{`"\x41" '\x41'`, `1 [A][\x41]`},
		{`a\nb\rc\td "\n\r\t"`, "1 [a\nb\rc\td][\n\r\t]"},
		{`a\qb "a\qb"`, `1 [a\qb][a\qb]`},
		{`a\$b "a\$b" a$b`, `1 [a\$b][a$b][a$b]`},
		{"a\\\tb \"a\\\tb\"", "1 [a\\][b][a\\\tb]"},
		{`a\`, `1 [a\]`},
		{`a "" b ""`, `1 [a][][b]`},
		{`a ""''`, `1 [a]`},
		{"caf\xc3\xa9 \xff", "1 [caf\xc3\xa9][\xff]"},
		{"a b\r", `1 [a][b]`},
		{"a # b\rc", `1 [a]`},

		{`a $HOME ${HOME} '$HOME'`, `1 [a][$HOME][${HOME}][$HOME]`},
		{`a "$HOME" "${HOME}/x" "$HOME/$HOME"`, `1 [a][/root][/root/x][/root//root]`},
		{`a "<$NONE>" "<${NONE}>" "<$NONE-x>"`, `1 [a][<>][<>][<-x>]`},
		{`a "${NONE-b c}:1" "${HOME-b c}" "<${BLANK-b}>"`, `1 [a][b c:1][/root][<>]`},
		{`a "${NONE-$HOME}" "${NONE-b"c}" "<${NONE-}>"`, `1 [a][$HOME][b"c][<>]`},
		{`a "$QUOTE"`, `1 [a][a"b'c#d$HOME]`},
		{`a "\x24HOME" "\${HOME}"`, `1 [a][$HOME][${HOME}]`},
		{`a "$_X" "$HOME[*]"`, `1 [a][][/root[*]]`},
		{`a "${HOME[*]}" b`, `1 [a][/root][b]`},
		{`a "<${LIST[*]}>" b`, `1 [a][<][x][y][>][b]`},
		{`a "${LIST[*]}" b`, `1 [a][x][y][b]`}, // HAProxy has an empty word around x and y, which ends its line
		{`a "${NONE[*]}" "${BLANK[*]}" "${SPACE[*]}" b`, `1 [a][b]`},
		{`a "${NONE[*]-x y}"`, `1 [a][x][y]`}, // documented so; HAProxy 2.6.12 reports a missing brace
		{`"$.FILE:${.LINE}:<${.SECTION}>"`, `1 [f:1:<>]`},
		{`"${NONE[*]}"`, ``},
		{`"$NONE" b`, `NOTICE f:1 line ignored, for its first word is empty`},

		{`a "b`, `ALERT f:1 this quote is never closed, at position 3:`},
		{`a "b' # c`, `ALERT f:1 this quote is never closed, at position 3:`},
		{`a b'c`, `ALERT f:1 this quote is never closed, at position 4:`},
		{"a \"b\r", `ALERT f:1 this quote is never closed, at position 3:`},
		{`a \x4`, `ALERT f:1 '\x' must be followed by two hexadecimal digits, at position 3:`},
		{`a "\xg1"`, `ALERT f:1 '\x' must be followed by two hexadecimal digits, at position 4:`},
		{`a \x00`, `ALERT f:1 a word cannot hold a NUL character, at position 3:`},
		{`a "$"`, `ALERT f:1 the name of a variable must start with a letter or an underscore, at position 5:`},
		{`a "$1"`, `ALERT f:1 the name of a variable must start with a letter or an underscore, at position 5:`},
		{`a "${1}"`, `ALERT f:1 the name of a variable must start with a letter or an underscore, at position 6:`},
		{`a "${}"`, `ALERT f:1 the name of a variable must start with a letter or an underscore, at position 6:`},
		{`a "${HOME"`, `ALERT f:1 no closing brace after the name of a variable, at position 4:`},
		{`a "${HOME+x}"`, `ALERT f:1 no closing brace after the name of a variable, at position 4:`},
		{`a "${NONE-x"`, `ALERT f:1 no closing brace after the name of a variable, at position 4:`},
		{`a "${HOME[1]}"`, `ALERT f:1 only '[*]' may stand between the name of a variable and the closing brace, at position 10:`},
		{`a "$.file"`, `ALERT f:1 unknown pseudo-variable '.file'; there are .FILE, .LINE and .SECTION, at position 4:`},
		{"a\rb", `ALERT f:1 carriage return in the middle of a line, at position 2:`},
		{"a\x00b", `ALERT f:1 NUL character at position 2; the line is ignored`},
	}
	for _, test := range tests {
		got := strings.Join(readAll(testEnv(), File{"f", []byte(test.line + "\n")}), "; ")
		if got != test.want {
			t.Errorf("%q:\n got %s\nwant %s", test.line, got, test.want)
		}
	}
}

func TestWordPlaces(t *testing.T) {
	r := NewReader([]File{{"f", []byte("\n  a \"b\" c\"d\" \\ e \"${L[*]}\"\n")}}, NewEnv([]string{"L=x y"}), nil)
	line, _ := r.Next()
	want := []Word{{"a", 3, false}, {"b", 5, true}, {"cd", 9, true}, {" e", 14, false}, {"x", 18, true}, {"y", 19, true}}
	if line.Pos != (Pos{"f", 2}) || fmt.Sprint(line.Words) != fmt.Sprint(want) {
		t.Errorf("got %v %v\nwant %v", line.Pos, line.Words, want)
	}
}

func TestExcerptPointsAtThePlace(t *testing.T) {
	var text string
	report := func(d Diagnostic) { text = d.Text }
	line := strings.Repeat("x", 100) + " \xc3\xa9\t\x01 \"b" + strings.Repeat("y", 100)
	NewReader([]File{{"f", []byte(line + "\n")}}, testEnv(), report).Next()
	want := "this quote is never closed, at position 107:\n" +
		"  " + strings.Repeat("x", 44) + " \u00e9 ? \"b" + strings.Repeat("y", 18) + "\n" +
		"  " + strings.Repeat(" ", 49) + "^"
	if text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

func TestFiles(t *testing.T) {
	tests := []struct {
		name  string
		files []File
		want  []string
	}{
		{"several in order, each outside of a section", []File{
			{"f", []byte("section one\na \"$.FILE$.LINE$.SECTION\"\n")},
			{"g", nil},
			{"h", []byte("\na \"$.FILE$.LINE$.SECTION\"\n")},
		}, []string{"1 [section][one]", "2 [a][f2one]", "2 [a][h2]"}},
		{"carriage returns before line feeds", []File{{"f", []byte("a b\r\n\r\n\tc \r\n")}},
			[]string{"1 [a][b]", "3 [c]"}},
		{"no line feed at the end", []File{{"f", []byte("a\nb")}, {"g", []byte("c\n")}},
			[]string{"1 [a]", "ALERT f:2 the last line has no line feed at its end, at position 2: the file may have been cut off", "2 [b]", "1 [c]"}},
		{"no line feed after a comment", []File{{"f", []byte("a\n#b")}},
			[]string{"1 [a]", "ALERT f:2 the last line has no line feed at its end, at position 3: the file may have been cut off"}},
		{"every line with a NUL character", []File{{"f", []byte("a\x00b\nc\n\x00\n")}},
			[]string{"ALERT f:1 NUL character at position 2; the line is ignored", "2 [c]", "ALERT f:3 NUL character at position 1; the line is ignored"}},
		{"byte order mark", []File{{"f", []byte("\xef\xbb\xbfa\n")}},
			[]string{"ALERT f:1 the file starts with a byte order mark; save it as UTF-8 without one", "1 [a]"}},
		{"blocks end with their file", []File{{"f", []byte(".if 1\n.if 0\n")}, {"g", []byte("a\n.endif\n")}},
			[]string{"ALERT f:2 this '.if' has no '.endif'", "ALERT f:1 this '.if' has no '.endif'", "1 [a]", "ALERT g:2 '.endif' without '.if'"}},
		{"no files", nil, nil},
	}
	for _, test := range tests {
		got := strings.Join(readAll(testEnv(), test.files...), "\n")
		if want := strings.Join(test.want, "\n"); got != want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, want)
		}
	}
}

func TestLongLine(t *testing.T) {
	word := strings.Repeat("w", 300_000)
	got := readAll(testEnv(), File{"f", []byte("a " + word + strings.Repeat(" x", 10_000) + "\n")})
	if len(got) != 1 || !strings.HasPrefix(got[0], "1 [a]["+word+"][x]") || strings.Count(got[0], "[x]") != 10_000 {
		t.Errorf("a long line does not come through whole")
	}
}

func TestExpansionIsBounded(t *testing.T) {
	env := NewEnv([]string{"A=" + strings.Repeat("x", maxExpansion/2)})
	got := readAll(env, File{"f", []byte("a \"$A$A\"\nb \"$A${A}${A[*]}\"\nc\n")})
	if len(got) != 3 || len(got[0]) < maxExpansion || got[1] != "ALERT f:2 "+expansionTooLong+", at position 10:" || got[2] != "3 [c]" {
		t.Errorf("got %.200q", got)
	}
	if _, err := ExpandAddress("$A$A$A", env); err == nil {
		t.Error("an address of more than 1 MiB is expanded")
	}
}

func TestVariableWithNUL(t *testing.T) {
	got := readAll(NewEnv([]string{"A=x\x00y"}), File{"f", []byte("a \"$A\"\n")})
	if len(got) != 1 || got[0] != "ALERT f:1 the variable holds a NUL character, at position 4:" {
		t.Errorf("got %q", got)
	}
}

func TestEnvironmentChangesBetweenLines(t *testing.T) {
	env := NewEnv([]string{"A=1"})
	r := NewReader([]File{{"f", []byte("\"$A\"\n\"$A\"\n.if defined(A)\n\"$A\"\n.else\nnone\n.endif\n")}}, env, nil)
	next := func(want string) {
		t.Helper()
		if line, ok := r.Next(); !ok || line.Words[0].Text != want {
			t.Errorf("got %v, want %s", line, want)
		}
	}
	next("1")
	env.Set("A", "2")
	next("2")
	env.Unset("A")
	next("none")
}

func TestQuote(t *testing.T) {
	tests := []struct{ word, want string }{
		{"", "''"},
		{"a", "a"},
		{"$HOME/${X}", "$HOME/${X}"},
		{"a b", "'a b'"},
		{`a\b"c#d`, `'a\b"c#d'`},
		{"it's", `"it's"`},
		{"it's\n\r\t$A \\ \"", `"it's\n\r` + "\t" + `\$A \\ \""`},
		{"caf\u00e9\xff", "caf\u00e9\xff"},
		{"\ufeffa", "'\ufeffa'"},
	}
	for _, test := range tests {
		if got := Quote(test.word); got != test.want {
			t.Errorf("Quote(%q) = %s, want %s", test.word, got, test.want)
		}
		words, problem := splitWords("x "+Quote(test.word), testEnv().Lookup)
		if problem != nil || len(words) != 2 || words[1].Text != test.word {
			t.Errorf("Quote(%q) is read back as %v, %v", test.word, words, problem)
		}
	}
}
