package e2e

import (
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// spopAgent answers a HAPROXY-HELLO as an agent does (SPOE.txt, section 3.2.5), with the type and the items of a frame given.
// What is no such hello for a health check gets no answer. All of these frames' items are shorter than 240 bytes.
func spopAgent(kind byte, items ...string) func(harness.Stream) {
	return func(s harness.Stream) {
		length := make([]byte, 4)
		if _, err := io.ReadFull(s, length); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(length))
		if _, err := io.ReadFull(s, frame); err != nil {
			return
		}
		// HAPROXY-HELLO, flags FIN, stream 0, frame 0, and what a hello must have.
		const heading, version = "\x01\x00\x00\x00\x01\x00\x00", "\x12supported-versions\x08"
		for _, want := range []string{version, "\x0emax-frame-size\x03", "\x0ccapabilities\x08", "\x0bhealthcheck\x11"} {
			if !strings.HasPrefix(string(frame), heading) || !strings.Contains(string(frame), want) {
				return
			}
		}
		body := string(kind) + heading[1:] + strings.Join(items, "")
		s.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
		harness.Hold(s)
	}
}

func TestChecksOfSPOP(t *testing.T) {
	t.Parallel()
	const (
		hello, disconnect = 101, 102
		version, size     = "\x07version\x08\x032.0", "\x0emax-frame-size\x03\xfc\xf0\x06"
		capabilities      = "\x0ccapabilities\x08\x00"
	)
	agent := func(kind byte, items ...string) string { return harness.Serve(t, spopAgent(kind, items...)).Addr }
	const spop, invalid = "option spop-check", "Layer7 invalid response"
	judge(t, "", []healthCheck{
		{name: "hello", lines: spop, server: agent(hello, version, size, capabilities), want: "Layer7 check passed, code: 0" + quoted("SPOA server is ok")},
		{name: "no version", lines: spop, server: agent(hello, size, capabilities), want: invalid + quoted("version value not found")},
		{name: "no size", lines: spop, server: agent(hello, version, capabilities), want: invalid + quoted("max-frame-size value not found")},
		{name: "disconnects", lines: spop, server: agent(disconnect, "\x0bstatus-code\x03\x04", "\x07message\x08\x09too early"),
			want: invalid + quoted("too early"), differs: harness.SPOPMessages, reference: invalid + quoted("invalid frame received")},
		{name: "another frame", lines: spop, server: agent(103), want: invalid + quoted("invalid frame received")},
	})
}
