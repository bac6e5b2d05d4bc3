package admin

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// Bounds of what is read, in bytes and in words.
const (
	maxLine    = 16 << 10
	maxPayload = 1 << 20
	maxWords   = 64
)

// Errors of reading. io.EOF is the regular end.
var (
	errLineTooLong    = errors.New("line too long")
	errPayloadTooLong = errors.New("payload too long")
	errTooManyWords   = errors.New("too many words")
)

// payloadMark at the end of a line announces a payload.
const payloadMark = "<<"

// entered is one command as it was entered.
type entered struct {
	words   []string
	payload string // lines, each with its end; empty: none
}

// reader cuts a connection's bytes into commands.
type reader struct {
	lines *bufio.Reader
	// more is called before the lines of a payload are read: for the prompt.
	more func()
}

func newReader(r io.Reader) *reader {
	return &reader{lines: bufio.NewReaderSize(r, maxLine), more: func() {}}
}

// buffered tells whether something of the next line has come already.
func (r *reader) buffered() bool { return r.lines.Buffered() > 0 }

// line reads up to the end of a line, and gives it without. A line without an end counts as none.
func (r *reader) line() (string, error) {
	line, err := r.lines.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return "", errLineTooLong
	case err != nil:
		return "", err
	}
	return strings.TrimSuffix(string(line[:len(line)-1]), "\r"), nil
}

// next reads the commands of the next line, with their payload if the line announces one. An empty line has none.
func (r *reader) next() ([]entered, error) {
	line, err := r.line()
	if err != nil {
		return nil, err
	}
	commands, err := split(line)
	if err != nil || len(commands) == 0 {
		return nil, err
	}
	last := &commands[len(commands)-1]
	if n := len(last.words); n > 0 && last.words[n-1] == payloadMark && strings.HasSuffix(strings.TrimRight(line, " \t"), payloadMark) {
		last.words = last.words[:n-1]
		last.payload, err = r.payload()
	}
	return commands, err
}

// payload reads lines up to an empty one.
func (r *reader) payload() (string, error) {
	var text strings.Builder
	for {
		r.more()
		line, err := r.line()
		switch {
		case err != nil:
			return "", err
		case line == "":
			return text.String(), nil
		case text.Len()+len(line) > maxPayload:
			return "", errPayloadTooLong
		}
		text.WriteString(line)
		text.WriteByte('\n')
	}
}

// split cuts a line into commands at ";", and these into words at blanks. A backslash takes away the meaning of the character
// behind it. A command without words stands between two ";" with nothing but blanks.
func split(line string) ([]entered, error) {
	if strings.Trim(line, " \t") == "" {
		return nil, nil
	}
	commands := []entered{{}}
	var word []byte
	inWord := false
	end := func() error {
		if !inWord {
			return nil
		}
		c := &commands[len(commands)-1]
		if len(c.words) == maxWords {
			return errTooManyWords
		}
		c.words = append(c.words, string(word))
		word, inWord = word[:0], false
		return nil
	}
	for i := 0; i < len(line); i++ {
		var err error
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line):
			i++
			word, inWord = append(word, line[i]), true
		case c == ' ' || c == '\t':
			err = end()
		case c == ';':
			err = end()
			commands = append(commands, entered{})
		default:
			word, inWord = append(word, c), true
		}
		if err != nil {
			return nil, err
		}
	}
	if err := end(); err != nil {
		return nil, err
	}
	if n := len(commands); n > 1 && len(commands[n-1].words) == 0 { // nothing behind the last ";"
		commands = commands[:n-1]
	}
	return commands, nil
}
