//go:build linux

package origin

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/bench/frame"
)

var anyPort = netip.MustParseAddrPort("127.0.0.1:0")

// start runs an origin until the test ends, or until stop is called, which gives its result.
func start(t *testing.T, spec Spec) (addresses []netip.AddrPort, stop func() Result) {
	t.Helper()
	if spec.Listen == nil {
		spec.Listen = []netip.AddrPort{anyPort}
	}
	ready := make(chan []netip.AddrPort, 1)
	spec.Ready = func(addresses []netip.AddrPort) { ready <- addresses }
	ctx, cancel := context.WithCancel(t.Context())
	var result Result
	var err error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		result, err = Run(ctx, spec)
	}()
	stop = func() Result {
		cancel()
		<-ended
		if err != nil {
			t.Error(err)
		}
		return result
	}
	t.Cleanup(func() { stop() })
	select {
	case addresses = <-ready:
	case <-ended:
		t.Fatal("no origin: ", err)
	}
	return addresses, stop
}

func dial(t *testing.T, address netip.AddrPort) *net.TCPConn {
	t.Helper()
	connection, err := net.Dial("tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	connection.SetDeadline(time.Now().Add(10 * time.Second))
	return connection.(*net.TCPConn)
}

func request(size, response uint32, closing bool) []byte {
	b := make([]byte, size)
	frame.Put(b, size, response, closing)
	return b
}

// TestRequest sends requests in pieces, several at once, and one that ends the connection.
func TestRequest(t *testing.T) {
	for _, kind := range []Kind{Request, Lean} {
		t.Run(string(kind), func(t *testing.T) { testRequest(t, kind) })
	}
}

func testRequest(t *testing.T, kind Kind) {
	addresses, stop := start(t, Spec{Kind: kind, Listen: []netip.AddrPort{anyPort, anyPort}})
	connection := dial(t, addresses[1])
	answers := func(lengths ...uint32) {
		t.Helper()
		for _, length := range lengths {
			response := make([]byte, length)
			if _, err := io.ReadFull(connection, response); err != nil {
				t.Fatalf("a response of %d: %v", length, err)
			}
			if got := binary.BigEndian.Uint32(append(response[:min(4, length):min(4, length)], 0, 0, 0, 0)) &^ (1 << 31); length >= 4 && got != length {
				t.Errorf("a response of %d begins with %d", length, got)
			}
		}
	}
	send := func(b []byte) {
		t.Helper()
		if _, err := connection.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	whole := request(100, 5000, false)
	for _, cut := range []int{3, 8, 50} {
		send(whole[:cut])
		time.Sleep(5 * time.Millisecond) // so that it arrives in pieces; together it would pass as well
		send(whole[cut:])
		answers(5000)
	}
	several := [][]byte{request(8, 1, false), request(9, 0, false), request(1<<20, 64, false), request(8, 3<<20, false)}
	send(bytes.Join(several, nil))
	answers(1, 64, 3<<20)
	send(request(8, 40, true))
	answers(40)
	if n, err := connection.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the last response: %d bytes, %v", n, err)
	}
	other := dial(t, addresses[0])
	if _, err := other.Write(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if n, err := other.Read(make([]byte, 1)); err == nil {
		t.Errorf("an answer of %d bytes to no request", n)
	}
	result := stop()
	if result.Requests != 8 || result.Connections != 2 || result.Errors != 1 || result.ByAddress[0] != 0 || result.ByAddress[1] != 8 {
		t.Errorf("%+v", result)
	}
	in := uint64(3*100 + 8 + 9 + 1<<20 + 8 + 8)
	if kind == Lean { // counts what was wrong, too
		in += 8
	}
	if result.BytesIn != in || result.BytesOut != 3*5000+1+64+3<<20+40 {
		t.Errorf("%d bytes in, %d out", result.BytesIn, result.BytesOut)
	}
}

// TestDelay has connections wait beside one another, not after one another.
func TestDelay(t *testing.T) {
	const delay, connections = 100 * time.Millisecond, 20
	addresses, stop := start(t, Spec{Kind: Request, Delay: delay})
	begin := time.Now()
	var all []*net.TCPConn
	for range connections {
		all = append(all, dial(t, addresses[0]))
		if _, err := all[len(all)-1].Write(request(8, 8, false)); err != nil {
			t.Fatal(err)
		}
	}
	for _, connection := range all {
		if _, err := io.ReadFull(connection, make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begin); took < delay || took > connections/2*delay {
		t.Errorf("%d requests took %s", connections, took)
	}
	if result := stop(); result.MostAtOnce < 2 || result.MostAtOnce > connections {
		t.Errorf("%d requests in service at once", result.MostAtOnce)
	}
}

// TestEndless half-closes: what netpoll would lose.
func TestEndless(t *testing.T) {
	const size = 5 << 20
	for _, test := range []struct {
		name string
		spec Spec
		send []byte
	}{
		{"sink", Spec{Kind: Sink}, make([]byte, size)},
		{"endless request", Spec{Kind: Request}, endless(frame.Endless, 0, size)},
	} {
		t.Run(test.name, func(t *testing.T) {
			addresses, stop := start(t, test.spec)
			connection := dial(t, addresses[0])
			if _, err := connection.Write(test.send); err != nil {
				t.Fatal(err)
			}
			if err := connection.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, connection); n != 0 || err != nil {
				t.Errorf("%d bytes came back: %v", n, err)
			}
			// What netpoll was just reading when it was told to let go is not counted: one read, and netpoll doubles its
			// reads while they fill.
			if result := stop(); result.BytesIn > size || result.BytesIn < size/4 || result.Errors > 0 {
				t.Errorf("%+v of %d bytes", result, size)
			}
		})
	}
	for _, test := range []struct {
		name string
		spec Spec
		send []byte
	}{
		{"source", Spec{Kind: Source}, nil},
		{"endless response", Spec{Kind: Request}, endless(frame.Header, frame.Endless, frame.Header)},
		{"endless both", Spec{Kind: Request}, endless(frame.Endless, frame.Endless, 1000)},
	} {
		t.Run(test.name, func(t *testing.T) {
			addresses, stop := start(t, test.spec)
			connection := dial(t, addresses[0])
			if _, err := connection.Write(test.send); err != nil {
				t.Fatal(err)
			}
			received := make([]byte, size)
			if _, err := io.ReadFull(connection, received); err != nil {
				t.Fatal(err)
			}
			if tag := binary.BigEndian.Uint32(received); tag != frame.Endless {
				t.Errorf("begins with %x", tag)
			}
			connection.Close()
			if result := stop(); result.BytesOut < size || result.Errors > 0 || result.Connections != 1 {
				t.Errorf("%+v of %d bytes", result, size)
			}
		})
	}
}

// TestLeanRefuses sends what Lean does not do: it closes the connection and counts.
func TestLeanRefuses(t *testing.T) {
	addresses, stop := start(t, Spec{Kind: Lean})
	for _, send := range [][]byte{
		endless(frame.Endless, 8, 100), endless(8, frame.Endless, 8),
		append(request(8, 8<<20, false), request(8, 8, false)...), // the second before the first one's response has gone
	} {
		// Nothing is read, so that 8 MiB cannot have gone: the client sees by its own writes that it was closed.
		connection := dial(t, addresses[0])
		connection.SetReadBuffer(64 << 10)
		var err error
		for ; err == nil; time.Sleep(time.Millisecond) {
			_, err = connection.Write(send)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%x is not refused", send[:8])
		}
	}
	if result := stop(); result.Errors != 3 {
		t.Errorf("%+v", result)
	}
}

func endless(request, response uint32, size int) []byte {
	b := make([]byte, size)
	frame.Put(b, request, response, false)
	return b
}

func TestEcho(t *testing.T) {
	addresses, stop := start(t, Spec{Kind: Echo})
	connection := dial(t, addresses[0])
	sent := bytes.Repeat([]byte("sluice "), 100000)
	go func() {
		connection.Write(sent)
		connection.CloseWrite()
	}()
	received, err := io.ReadAll(connection)
	if err != nil || !bytes.Equal(received, sent) {
		t.Errorf("%d bytes of %d came back: %v", len(received), len(sent), err)
	}
	if result := stop(); result.BytesIn != uint64(len(sent)) || result.BytesOut != result.BytesIn {
		t.Errorf("%+v", result)
	}
}

func TestAcceptClose(t *testing.T) {
	addresses, stop := start(t, Spec{Kind: AcceptClose, Listen: []netip.AddrPort{anyPort, anyPort}})
	for i := range 5 {
		connection := dial(t, addresses[i%2])
		if n, err := connection.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
	if result := stop(); result.Connections != 5 || result.ByAddress[0] != 3 || result.ByAddress[1] != 2 || result.Errors > 0 {
		t.Errorf("%+v", result)
	}
}

// TestEndsWithOpenConnections ends every kind while connections are open, in the middle of what they do.
func TestEndsWithOpenConnections(t *testing.T) {
	for _, kind := range []Kind{Request, Lean, Echo, Sink, Source} {
		addresses, stop := start(t, Spec{Kind: kind})
		for _, send := range [][]byte{nil, request(8, 8, false), endless(frame.Endless, frame.Endless, 100), request(100, 8, false)[:50]} {
			if _, err := dial(t, addresses[0]).Write(send); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now()
		stop()
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%s: took %s to end", kind, took)
		}
	}
}

func TestServe(t *testing.T) {
	in, write := io.Pipe()
	read, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- Serve(t.Context(), in, out) }()
	if err := json.NewEncoder(write).Encode(Spec{Kind: Request, Listen: []netip.AddrPort{anyPort}}); err != nil {
		t.Fatal(err)
	}
	messages := json.NewDecoder(read)
	var message Message
	if err := messages.Decode(&message); err != nil || len(message.Listening) != 1 {
		t.Fatalf("%+v, %v", message, err)
	}
	if _, err := dial(t, message.Listening[0]).Write(request(8, 8, false)); err != nil {
		t.Fatal(err)
	}
	write.Close()
	message = Message{}
	if err := messages.Decode(&message); err != nil || message.Result == nil {
		t.Fatalf("%+v, %v", message, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "{}", `{"Kind":"sink"}`, `{"Kind":"sink","Listen":["192.0.2.1:1"]}`, `{"Kind":"sink","Listen":["127.0.0.1:0"],"Delay":5}`} {
		var out bytes.Buffer
		if err := Serve(t.Context(), strings.NewReader(bad), &out); err != nil || !strings.Contains(out.String(), `"Error"`) {
			t.Errorf("%s: %s, %v", bad, &out, err)
		}
	}
}

// TestNGINX starts nginx with the configuration and asks for the page.
func TestNGINX(t *testing.T) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			t.Skip("nginx is not installed")
		}
	}
	// A port that was free a moment ago.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := netip.MustParseAddrPort(listener.Addr().String())
	listener.Close()
	directory := t.TempDir()
	file, err := os.Create(filepath.Join(directory, "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := WriteNGINX(file, NGINXSpec{Directory: directory, Listen: []netip.AddrPort{address}, Bytes: 100}); err != nil {
		t.Fatal(err)
	}
	var remarks bytes.Buffer
	nginx := exec.Command(path, "-p", directory, "-e", "stderr", "-c", file.Name())
	nginx.Stderr = &remarks
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	defer nginx.Wait()
	defer nginx.Process.Signal(os.Interrupt)
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		response, err := http.Get("http://" + address.String() + "/")
		if err != nil && time.Now().Before(deadline) {
			continue
		}
		if err != nil {
			t.Fatalf("%v: %s", err, &remarks)
		}
		defer response.Body.Close()
		if page, err := io.ReadAll(response.Body); len(page) != 100 || err != nil {
			t.Errorf("a page of %d bytes: %v", len(page), err)
		}
		return
	}
}
