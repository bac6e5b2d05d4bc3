package config

import "strings"

// maxExpansion is how many bytes variables may add to one line. Without it a variable that is set to twice itself a
// few dozen times eats all memory.
const maxExpansion = 1 << 20

const expansionTooLong = "the variables of this line hold more than 1 MiB"

// Word is one word of a line, with quotes, escapes and variables resolved.
type Word struct {
	Text   string // never holds a NUL byte
	Column int    // of its first byte in the file's line, in bytes from 1
	Quoted bool   // some part of it stood in quotes
}

// wordError is what keeps a line from being cut into words.
type wordError struct {
	at   int // index of the offending byte, or the length of the line
	text string
}

// splitter cuts one line into words.
type splitter struct {
	text  string
	look  func(name string) (string, bool)
	words []Word

	// The word being read.
	open   bool
	column int
	quoted bool
	list   bool // a list stood in it, so it may turn out to be no word
	buffer []byte

	quote      byte // the quote that is open, or 0
	quoteStart int
	grown      int // bytes that variables have added
}

// splitWords cuts a line without its line feed into words, up to a comment or its end.
func splitWords(text string, look func(name string) (string, bool)) ([]Word, *wordError) {
	s := &splitter{text: text, look: look}
	for at := 0; at < len(text); {
		c := text[at]
		switch {
		case s.quote == 0 && c == '#':
			s.close()
			return s.words, nil
		case s.quote == 0 && isSpace(c):
			s.close()
			at++
		case c == '\r':
			return nil, &wordError{at, "carriage return in the middle of a line"}
		case c == '\'' && s.quote != '"', c == '"' && s.quote != '\'':
			s.toggle(c, at)
			at++
		case c == '\\' && s.quote != '\'':
			resolved, length, problem := unescape(text, at, s.quote)
			if problem != nil {
				return nil, problem
			}
			s.emit(resolved, at)
			at += length
		case c == '$' && s.quote == '"':
			v, problem := scanVariable(text, at)
			if problem == nil {
				problem = s.expand(v, at)
			}
			if problem != nil {
				return nil, problem
			}
			at = v.end
		default:
			s.emit(c, at)
			at++
		}
	}
	if s.quote != 0 {
		return nil, &wordError{s.quoteStart, "this quote is never closed"}
	}
	s.close()
	return s.words, nil
}

// begin opens a word unless one is open.
func (s *splitter) begin(at int) {
	if !s.open {
		s.open, s.column, s.quoted, s.list = true, at+1, s.quote != 0, false
		s.buffer = s.buffer[:0]
	}
}

func (s *splitter) emit(c byte, at int) {
	s.begin(at)
	s.buffer = append(s.buffer, c)
}

func (s *splitter) toggle(quote byte, at int) {
	s.begin(at)
	s.quoted = true
	if s.quote != 0 {
		s.quote = 0
		return
	}
	s.quote, s.quoteStart = quote, at
}

// close ends the word. A word of nothing but a list without values is none.
func (s *splitter) close() {
	if s.open && (len(s.buffer) > 0 || !s.list) {
		s.words = append(s.words, Word{Text: string(s.buffer), Column: s.column, Quoted: s.quoted})
	}
	s.open = false
}

// expand puts the value of a variable into the word, or a list's values into several.
func (s *splitter) expand(v variable, at int) *wordError {
	value := v.value(s.look)
	if v.name[0] == '.' {
		if _, found := s.look(v.name); !found {
			return &wordError{at, "unknown pseudo-variable '" + v.name + "'; there are .FILE, .LINE and .SECTION"}
		}
	}
	if s.grown += len(value); s.grown > maxExpansion {
		return &wordError{at, expansionTooLong}
	}
	if strings.IndexByte(value, 0) >= 0 {
		return &wordError{at, "the variable holds a NUL character"}
	}
	if !v.list {
		s.buffer = append(s.buffer, value...)
		return nil
	}
	s.list = true
	for i := 0; i < len(value); i++ {
		if !isSpaceOrLine(value[i]) {
			s.buffer = append(s.buffer, value[i])
			continue
		}
		s.close()
		s.begin(at)
		s.list = true
	}
	return nil
}

// unescape resolves the backslash at text[at] and says how many bytes that took. A backslash before any other
// character than those below stands for itself, and so does that character.
func unescape(text string, at int, quote byte) (byte, int, *wordError) {
	if at+1 == len(text) {
		return '\\', 1, nil
	}
	switch c := text[at+1]; c {
	case ' ', '#', '\\', '\'', '"':
		return c, 2, nil
	case '$':
		if quote == '"' {
			return c, 2, nil
		}
	case 'n':
		return '\n', 2, nil
	case 'r':
		return '\r', 2, nil
	case 't':
		return '\t', 2, nil
	case 'x':
		if at+3 >= len(text) || hexValue(text[at+2]) < 0 || hexValue(text[at+3]) < 0 {
			return 0, 0, &wordError{at, "'\\x' must be followed by two hexadecimal digits"}
		}
		value := hexValue(text[at+2])<<4 | hexValue(text[at+3])
		if value == 0 {
			return 0, 0, &wordError{at, "a word cannot hold a NUL character"}
		}
		return byte(value), 4, nil
	}
	return '\\', 1, nil
}

func hexValue(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// isSpace tells what separates words. A vertical tab and a form feed do in HAProxy too.
func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\v' || c == '\f' }

func isSpaceOrLine(c byte) bool { return isSpace(c) || c == '\r' || c == '\n' }
