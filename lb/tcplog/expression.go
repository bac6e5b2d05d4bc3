package tcplog

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// expression is a parsed "%[...]": a sample, and what is done with it. It is immutable.
type expression struct {
	source     source
	kind       kind // of a constant
	number     int64
	addr       netip.Addr
	text       string
	unit       time.Duration // of dates
	converters []converter
}

// converter is one step. Which fields count, its action says.
type converter struct {
	action         action
	number, second int64
	text, other    string
}

// Environment looks a variable up, as os.LookupEnv does; nil stands for that.
type Environment func(name string) (value string, found bool)

// source is where a sample comes from.
type source uint8

const (
	fetchSource source = iota
	fetchSourcePort
	fetchDestination
	fetchDestinationPort
	fetchBackendSource
	fetchBackendSourcePort
	fetchBackendAddress
	fetchBackendPort
	fetchReceivedProxy
	fetchAuthority
	fetchCarriedID
	fetchFrontendName
	fetchFrontendID
	fetchDefaultBackend
	fetchBackendName
	fetchBackendID
	fetchServerName
	fetchServerID
	fetchSocketName
	fetchSocketID
	fetchLoop
	fetchClass
	fetchOffset
	fetchUniqueID
	fetchDate
	fetchAcceptDate
	fetchMicrosecond
	fetchRandom
	fetchUUID
	fetchHostname
	fetchPID
	fetchInteger
	fetchBoolean
	fetchAddress
	fetchString
	fetchBytesIn
	fetchBytesOut
	fetchHandshakeTime
	fetchQueueTime
	fetchConnectTime
	fetchTotalTime
	fetchRetries
	fetchRedispatched
	fetchTermination
	fetchConnections
	fetchBackendQueue
	fetchServerQueue
	fetchFinal
	fetchError
)

// fetches are HAProxy's names. Those of the last group are of its versions after 2.6.
var fetches = map[string]struct {
	source source
	arg    func(e *expression, arguments []string, env Environment) error // nil: it takes none
}{
	"src": {fetchSource, nil}, "src_port": {fetchSourcePort, nil}, "fc_src": {fetchSource, nil}, "fc_src_port": {fetchSourcePort, nil},
	"dst": {fetchDestination, nil}, "dst_port": {fetchDestinationPort, nil}, "fc_dst": {fetchDestination, nil}, "fc_dst_port": {fetchDestinationPort, nil},
	"bc_src": {fetchBackendSource, nil}, "bc_src_port": {fetchBackendSourcePort, nil}, "bc_dst": {fetchBackendAddress, nil}, "bc_dst_port": {fetchBackendPort, nil},
	"fc_rcvd_proxy": {fetchReceivedProxy, nil}, "fc_pp_authority": {fetchAuthority, nil}, "fc_pp_unique_id": {fetchCarriedID, nil},
	"fe_name": {fetchFrontendName, nil}, "fe_id": {fetchFrontendID, nil}, "fe_defbe": {fetchDefaultBackend, nil}, "be_name": {fetchBackendName, nil},
	"be_id": {fetchBackendID, nil}, "srv_name": {fetchServerName, nil}, "srv_id": {fetchServerID, nil}, "so_name": {fetchSocketName, nil},
	"so_id": {fetchSocketID, nil}, "thread": {fetchLoop, nil}, "prio_class": {fetchClass, nil}, "prio_offset": {fetchOffset, nil},
	"unique-id": {fetchUniqueID, nil}, "date": {fetchDate, dateArguments}, "date_us": {fetchMicrosecond, nil}, "rand": {fetchRandom, randomArguments},
	"uuid": {fetchUUID, uuidArguments}, "hostname": {fetchHostname, nil}, "env": {fetchString, variableArguments}, "str": {fetchString, stringArguments},
	"int": {fetchInteger, integerArguments}, "bool": {fetchBoolean, booleanArguments}, "always_true": {fetchBoolean, constant(boolean, 1)},
	"always_false": {fetchBoolean, constant(boolean, 0)}, "nbproc": {fetchInteger, constant(integer, 1)}, "proc": {fetchInteger, constant(integer, 1)},
	"ipv4": {fetchAddress, addressArguments}, "ipv6": {fetchAddress, addressArguments},

	"pid": {fetchPID, nil}, "accept_date": {fetchAcceptDate, dateArguments}, "bytes_in": {fetchBytesIn, nil}, "bytes_out": {fetchBytesOut, nil},
	"fc.timer.handshake": {fetchHandshakeTime, nil}, "req.timer.queue": {fetchQueueTime, nil}, "bc.timer.connect": {fetchConnectTime, nil},
	"fc.timer.total": {fetchTotalTime, nil}, "txn.conn_retries": {fetchRetries, nil}, "txn.redispatched": {fetchRedispatched, nil},
	"txn.sess_term_state": {fetchTermination, nil}, "act_conn": {fetchConnections, nil}, "bc_be_queue": {fetchBackendQueue, nil},
	"bc_srv_queue": {fetchServerQueue, nil},
}

// action is what a converter does.
type action uint8

const (
	convertUpper action = iota
	convertLower
	convertHex
	convertHexNumber
	convertBase64
	convertMask
	convertLocalTime
	convertUTC
	convertHTTPDate
	convertLength
	convertBytes
	convertField
	convertLeftTrim
	convertRightTrim
	convertConcat
	convertChoice
	convertBool
	convertNot
	convertEven
	convertOdd
	convertNegate
	convertComplement
	convertAdd
	convertSubtract
	convertMultiply
	convertDivide
	convertModulo
	convertAnd
	convertOr
	convertXor
)

// conversions are HAProxy's names.
var conversions = map[string]struct {
	action action
	arg    func(c *converter, arguments []string) error // nil: it takes none
}{
	"upper": {convertUpper, nil}, "lower": {convertLower, nil}, "hex": {convertHex, nil}, "hex2i": {convertHexNumber, nil}, "base64": {convertBase64, nil},
	"ipmask": {convertMask, maskArguments}, "ltime": {convertLocalTime, layoutArguments}, "utime": {convertUTC, layoutArguments},
	"http_date": {convertHTTPDate, httpDateArguments}, "length": {convertLength, nil}, "bytes": {convertBytes, bytesArguments},
	"field": {convertField, fieldArguments}, "ltrim": {convertLeftTrim, trimArguments}, "rtrim": {convertRightTrim, trimArguments},
	"concat": {convertConcat, concatArguments}, "iif": {convertChoice, choiceArguments}, "bool": {convertBool, nil}, "not": {convertNot, nil},
	"even": {convertEven, nil}, "odd": {convertOdd, nil}, "neg": {convertNegate, nil}, "cpl": {convertComplement, nil}, "add": {convertAdd, operandArguments},
	"sub": {convertSubtract, operandArguments}, "mul": {convertMultiply, operandArguments}, "div": {convertDivide, operandArguments},
	"mod": {convertModulo, operandArguments}, "and": {convertAnd, operandArguments}, "or": {convertOr, operandArguments}, "xor": {convertXor, operandArguments},
}

// parseExpression reads what stands between "%[" and "]", and gives how many bytes that is. An error says where in text it is.
func parseExpression(text string, env Environment) (e *expression, length int, err *FormatError) {
	p := callParser{text: text}
	name, arguments, given, err := p.call("a sample's name, such as 'src', must follow '%['")
	if err != nil {
		return nil, 0, err
	}
	known, ok := fetches[name]
	switch {
	case !ok:
		return nil, 0, &FormatError{0, fmt.Sprintf("sample '%s' is not known to sluice's log formats%s; known: %s", name, nearest(name, fetches), list(fetches))}
	case known.arg == nil && given:
		return nil, 0, &FormatError{0, fmt.Sprintf("sample '%s' takes no arguments", name)}
	}
	if env == nil {
		env = os.LookupEnv
	}
	e = &expression{source: known.source}
	if known.arg != nil {
		if err := known.arg(e, arguments, env); err != nil {
			return nil, 0, &FormatError{0, fmt.Sprintf("sample '%s': %v", name, err)}
		}
	}
	for p.take(',') {
		start := p.at
		name, arguments, given, err := p.call("a converter's name, such as 'upper', must follow the comma")
		if err != nil {
			return nil, 0, err
		}
		known, ok := conversions[name]
		switch {
		case !ok:
			return nil, 0, &FormatError{start, fmt.Sprintf("converter '%s' is not known to sluice's log formats%s; known: %s", name, nearest(name, conversions), list(conversions))}
		case known.arg == nil && given:
			return nil, 0, &FormatError{start, fmt.Sprintf("converter '%s' takes no arguments", name)}
		}
		c := converter{action: known.action}
		if known.arg != nil {
			if err := known.arg(&c, arguments); err != nil {
				return nil, 0, &FormatError{start, fmt.Sprintf("converter '%s': %v", name, err)}
			}
		}
		e.converters = append(e.converters, c)
	}
	if !p.take(']') {
		if p.at == len(text) {
			return nil, 0, &FormatError{p.at, fmt.Sprintf("missing ']' after '%s'", text)}
		}
		return nil, 0, &FormatError{p.at, fmt.Sprintf("']' or ',' expected, not '%s'", text[p.at:])}
	}
	return e, p.at, nil
}

func list[T any](names map[string]T) string {
	return strings.Join(slices.Sorted(maps.Keys(names)), " ")
}

// nearest finds a name that begins alike, or differs in case only.
func nearest[T any](name string, names map[string]T) string {
	for _, known := range slices.Sorted(maps.Keys(names)) {
		if strings.EqualFold(known, name) || len(name) > 2 && (strings.HasPrefix(known, name) || strings.HasPrefix(name, known) && len(known) > 2) {
			return fmt.Sprintf(" (did you mean '%s'?)", known)
		}
	}
	return ""
}

// callParser reads names and their arguments.
type callParser struct {
	text string
	at   int
}

func (p *callParser) take(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// call reads "name" or "name(argument,...)". Arguments may be quoted; a backslash takes the meaning from the next byte, within
// double quotes from a quote or a backslash only, as where HAProxy reads them.
func (p *callParser) call(missing string) (name string, arguments []string, given bool, err *FormatError) {
	start := p.at
	for p.at < len(p.text) && !strings.ContainsRune("(,] \t", rune(p.text[p.at])) {
		p.at++
	}
	if name = p.text[start:p.at]; name == "" {
		return "", nil, false, &FormatError{start, missing}
	}
	open := p.at
	if !p.take('(') {
		return name, nil, false, nil
	}
	if p.take(')') {
		return name, nil, true, nil
	}
	var word []byte
	quote := byte(0)
	for ; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '\\' && p.at+1 < len(p.text) && (quote == 0 || quote == '"' && (p.text[p.at+1] == '"' || p.text[p.at+1] == '\\')):
			p.at++
			word = append(word, p.text[p.at])
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote == 0 && (c == ',' || c == ')'):
			arguments = append(arguments, string(word))
			word = nil
			if c == ')' {
				p.at++
				return name, arguments, true, nil
			}
		default:
			word = append(word, c)
		}
	}
	return "", nil, false, &FormatError{open, fmt.Sprintf("missing ')' after '%s'", p.text[start:])}
}

// count complains about too few or too many arguments.
func count(arguments []string, low, high int, syntax string) error {
	if len(arguments) < low || len(arguments) > high {
		return fmt.Errorf("expects (%s)", syntax)
	}
	return nil
}

// whole reads a number within limits.
func whole(s string, low, high int64) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < low || n > high {
		if low == math.MinInt64 {
			return 0, fmt.Errorf("'%s' is not a whole number", s)
		}
		return 0, fmt.Errorf("'%s' is not a whole number from %d to %d", s, low, high)
	}
	return n, nil
}

func constant(k kind, n int64) func(*expression, []string, Environment) error {
	return func(e *expression, arguments []string, _ Environment) error {
		e.kind, e.number = k, n
		return count(arguments, 0, 0, "")
	}
}

var units = map[string]time.Duration{"s": time.Second, "ms": time.Millisecond, "us": time.Microsecond}

func dateArguments(e *expression, arguments []string, _ Environment) error {
	err := count(arguments, 0, 2, "[<offset>[,s|ms|us]]")
	if err == nil && len(arguments) > 0 && arguments[0] != "" {
		e.number, err = whole(arguments[0], math.MinInt64, math.MaxInt64)
	}
	if err == nil && len(arguments) > 1 {
		if e.unit = units[arguments[1]]; e.unit == 0 {
			err = fmt.Errorf("'%s' is none of 's', 'ms', 'us'", arguments[1])
		}
	}
	return err
}

func randomArguments(e *expression, arguments []string, _ Environment) error {
	err := count(arguments, 0, 1, "[<range>]")
	if err == nil && len(arguments) == 1 {
		e.number, err = whole(arguments[0], 1, math.MaxUint32)
	}
	return err
}

func uuidArguments(_ *expression, arguments []string, _ Environment) error {
	err := count(arguments, 0, 1, "[4]")
	if err == nil && len(arguments) == 1 && arguments[0] != "4" {
		err = errors.New("only version 4 is known")
	}
	return err
}

func variableArguments(e *expression, arguments []string, env Environment) error {
	if err := count(arguments, 1, 1, "<name>"); err != nil {
		return err
	}
	e.text, _ = env(arguments[0]) // one that does not exist is "-"
	return nil
}

func stringArguments(e *expression, arguments []string, _ Environment) error {
	if err := count(arguments, 0, 1, "<text>, with quotes around commas and parentheses"); err != nil {
		return err
	}
	if len(arguments) == 1 {
		e.text = arguments[0]
	}
	return nil
}

func integerArguments(e *expression, arguments []string, _ Environment) (err error) {
	e.kind = integer
	if err = count(arguments, 1, 1, "<number>"); err == nil {
		e.number, err = whole(arguments[0], math.MinInt64, math.MaxInt64)
	}
	return err
}

func booleanArguments(e *expression, arguments []string, _ Environment) error {
	e.kind = boolean
	if err := count(arguments, 1, 1, "true | false"); err != nil {
		return err
	}
	switch arguments[0] {
	case "true", "1":
		e.number = 1
	case "false", "0":
	default:
		return fmt.Errorf("'%s' is neither 'true' nor 'false'", arguments[0])
	}
	return nil
}

func addressArguments(e *expression, arguments []string, _ Environment) (err error) {
	e.kind = address
	if err = count(arguments, 1, 1, "<address>"); err == nil {
		e.addr, err = netip.ParseAddr(arguments[0])
	}
	return err
}

// maskArguments takes bits, or the mask as an address. Without one for IPv6, such addresses are absent.
func maskArguments(c *converter, arguments []string) error {
	if err := count(arguments, 1, 2, "<bits>[,<bits of IPv6>]"); err != nil {
		return err
	}
	c.second = -1
	for i, to := range []*int64{&c.number, &c.second}[:len(arguments)] {
		most := int64(32 + 96*i)
		bits, err := whole(arguments[i], 0, most)
		if mask, dotted := netip.ParseAddr(arguments[i]); dotted == nil && int64(mask.BitLen()) == most {
			bits, err = maskBits(mask.AsSlice())
		}
		if err != nil {
			return err
		}
		*to = bits
	}
	return nil
}

func maskBits(mask []byte) (bits int64, err error) {
	ended := false
	for i := range 8 * len(mask) {
		switch one := mask[i/8]&(0x80>>(i%8)) != 0; {
		case one && ended:
			return 0, errors.New("only masks that are all ones before all zeros are known")
		case one:
			bits++
		default:
			ended = true
		}
	}
	return bits, nil
}

func layoutArguments(c *converter, arguments []string) error {
	err := count(arguments, 1, 2, "<layout>[,<offset>]")
	if err == nil {
		c.text = arguments[0]
		err = checkLayout(c.text)
	}
	if err == nil && len(arguments) == 2 {
		c.number, err = whole(arguments[1], math.MinInt64, math.MaxInt64)
	}
	return err
}

func httpDateArguments(c *converter, arguments []string) error {
	c.text = "%a, %d %b %Y %H:%M:%S GMT"
	err := count(arguments, 0, 1, "[<offset>]")
	if err == nil && len(arguments) == 1 {
		c.number, err = whole(arguments[0], math.MinInt64, math.MaxInt64)
	}
	return err
}

func bytesArguments(c *converter, arguments []string) error {
	err := count(arguments, 1, 2, "<offset>[,<length>]")
	if err == nil {
		c.number, err = whole(arguments[0], 0, math.MaxInt32)
	}
	if err == nil && len(arguments) == 2 {
		c.second, err = whole(arguments[1], 1, math.MaxInt32)
	}
	return err
}

func fieldArguments(c *converter, arguments []string) error {
	err := count(arguments, 2, 3, "<number>,<delimiters>[,<count>]")
	c.second = 1
	if err == nil {
		c.text = arguments[1]
		if c.number, err = whole(arguments[0], math.MinInt32, math.MaxInt32); err == nil && c.number == 0 {
			err = errors.New("fields are counted from 1, or -1 from the end")
		}
	}
	if err == nil && len(arguments) == 3 {
		c.second, err = whole(arguments[2], 0, math.MaxInt32)
	}
	return err
}

func trimArguments(c *converter, arguments []string) error {
	err := count(arguments, 1, 1, "<characters>")
	if err == nil {
		c.text = arguments[0]
	}
	return err
}

func concatArguments(c *converter, arguments []string) error {
	if err := count(arguments, 0, 3, "[<start>],,[<end>]"); err != nil {
		return err
	}
	if len(arguments) > 1 && arguments[1] != "" {
		return fmt.Errorf("variables such as '%s' are not supported: expects ([<start>],,[<end>])", arguments[1])
	}
	c.text = strings.Join(arguments, "")
	return nil
}

func choiceArguments(c *converter, arguments []string) error {
	err := count(arguments, 2, 2, "<if true>,<if false>")
	if err == nil {
		c.text, c.other = arguments[0], arguments[1]
	}
	return err
}

func operandArguments(c *converter, arguments []string) error {
	err := count(arguments, 1, 1, "<number>")
	if err == nil {
		if c.number, err = whole(arguments[0], math.MinInt64, math.MaxInt64); err != nil {
			err = fmt.Errorf("%w, and variables are not supported", err)
		}
	}
	return err
}
