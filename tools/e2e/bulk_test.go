package e2e

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// bulkSize is the size of the file that is carried each way: 1 GiB, or what E2E_BULK says, in bytes.
func bulkSize(t *testing.T) int64 {
	text := os.Getenv("E2E_BULK")
	if text == "" {
		return 1 << 30
	}
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil || size < 1<<20 {
		t.Fatalf("E2E_BULK=%s: want a number of bytes, at least 1048576", text)
	}
	return size
}

// bulkFile makes a file whose every block differs, and its checksum.
func bulkFile(t *testing.T, size int64) (path, sum string) {
	t.Helper()
	path = filepath.Join(harness.ShortDir(t), "bulk")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	hash := sha256.New()
	random := rand.NewChaCha8([32]byte{1})
	if _, err := io.CopyN(io.MultiWriter(file, hash), random, size); err != nil {
		t.Fatal(err)
	}
	return path, fmt.Sprintf("%x", hash.Sum(nil))
}

// sendFile writes a file and ends the direction.
func sendFile(s harness.Stream, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := io.Copy(s, file); err != nil {
		return err
	}
	return s.CloseWrite()
}

// modes are the two ways to move bytes.
var modes = []struct {
	name, global, defaults string
	splice                 bool
}{
	{name: "copy", global: "nosplice"},
	{name: "splice", defaults: "option splice-auto\noption splice-request\noption splice-response", splice: true},
}

// One large file each way, as fast as it goes.
func TestBulk(t *testing.T) {
	size := bulkSize(t)
	path, sum := bulkFile(t, size)
	heard := make(chan string, 1)
	origin := harness.Serve(t, func(s harness.Stream) {
		first := make([]byte, 1)
		io.ReadFull(s, first)
		if first[0] == '<' {
			sendFile(s, path)
			return
		}
		hash := sha256.New()
		io.Copy(hash, s)
		heard <- fmt.Sprintf("%x", hash.Sum(nil))
	})
	for _, mode := range modes {
		logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
		text := "global\n  " + mode.global + "\n" + config(logs, mode.defaults,
			section("listen front", "bind "+addr, "server origin "+origin.Addr))
		t.Run(mode.name, func(t *testing.T) {
			b := harness.Start(t, text)
			t.Run("down", func(t *testing.T) {
				cpu := harness.CPU(b.PID)
				client := harness.DialTCP(t, addr)
				harness.Say(t, client, "<")
				hash := sha256.New()
				n, err := io.Copy(hash, client)
				if got := fmt.Sprintf("%x", hash.Sum(nil)); err != nil || n != size || got != sum {
					t.Errorf("got %d bytes with checksum %s (%v), want %d with %s", n, got, err, size, sum)
				}
				client.Close()
				if flow := logs.Flow(t); flow.Bytes != size || flow.State != "--" {
					t.Errorf("%+v, want %d bytes", flow, size)
				}
				t.Logf("processor time %v", harness.CPU(b.PID)-cpu)
			})
			t.Run("up", func(t *testing.T) {
				cpu := harness.CPU(b.PID)
				client := harness.DialTCP(t, addr)
				harness.Say(t, client, ">")
				if err := sendFile(client, path); err != nil {
					t.Fatal(err)
				}
				harness.AwaitEnd(t, client)
				if got := <-heard; got != sum {
					t.Errorf("the origin got checksum %s, want %s", got, sum)
				}
				client.Close()
				if flow := logs.Flow(t); flow.Bytes != 0 || flow.State != "--" {
					t.Errorf("%+v, want 0 bytes to the client", flow)
				}
				t.Logf("processor time %v", harness.CPU(b.PID)-cpu)
			})
		})
	}
}

const slowSize = 32 << 20

// A reader that stops for a while and then reads slowly, on either side: nothing is lost, nothing piles up, and the
// balancer does not turn in circles meanwhile.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	path, sum := bulkFile(t, slowSize)
	for _, mode := range modes {
		for _, slow := range []string{"client", "server"} {
			t.Run(mode.name+"/"+slow, func(t *testing.T) {
				t.Parallel()
				logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
				stalled, resume, heard := make(chan bool, 1), make(chan bool), make(chan string, 1)
				origin := harness.Serve(t, func(s harness.Stream) {
					if slow == "client" {
						sendFile(s, path)
						return
					}
					heard <- slowly(s, stalled, resume)
				})
				b := harness.Start(t, "global\n  "+mode.global+"\n"+config(logs, mode.defaults,
					section("listen front", "bind "+addr, "server origin "+origin.Addr)))
				memory := harness.Resident(b.PID)
				client := harness.DialTCP(t, addr)
				if slow == "client" {
					go func() { heard <- slowly(client, stalled, resume) }()
				} else {
					go sendFile(client, path)
				}
				<-stalled
				b.AssertIdle("a reader stands still")
				if grown := harness.Resident(b.PID) - memory; grown > 16<<20 && !harness.Subject.Race {
					t.Errorf("the balancer grew by %d bytes while a reader stood still", grown)
				}
				if pipes := b.Pipes(); (pipes > 0) != mode.splice {
					t.Errorf("%d ends of pipes in mode %s", pipes, mode.name)
				}
				resume <- true
				if got := <-heard; got != sum {
					t.Errorf("the reader got checksum %s, want %s", got, sum)
				}
				harness.AwaitEnd(t, client)
				client.Close()
				if flow := logs.Flow(t); flow.State != "--" {
					t.Errorf("%+v", flow)
				}
			})
		}
	}
}

// slowly reads 2 MiB, stops until told, reads on with pauses, and returns the checksum of everything.
func slowly(s harness.Stream, stalled chan<- bool, resume <-chan bool) string {
	hash := sha256.New()
	io.CopyN(hash, s, 2<<20)
	time.Sleep(300 * time.Millisecond) // until every buffer on the way is full
	stalled <- true
	<-resume
	for block := make([]byte, 96<<10); ; {
		n, err := s.Read(block)
		hash.Write(block[:n])
		if err != nil {
			return fmt.Sprintf("%x", hash.Sum(nil))
		}
		time.Sleep(time.Millisecond) // the pace
	}
}

// Both directions at once through an echo, so that each side's reading depends on its writing.
func TestBulkBothWays(t *testing.T) {
	t.Parallel()
	path, sum := bulkFile(t, slowSize)
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
			harness.Start(t, "global\n  "+mode.global+"\n"+config(logs, mode.defaults,
				section("listen front", "bind "+addr, "server origin "+origin.Addr)))
			client := harness.DialTCP(t, addr)
			go sendFile(client, path)
			hash := sha256.New()
			n, err := io.Copy(hash, client)
			if got := fmt.Sprintf("%x", hash.Sum(nil)); err != nil || got != sum {
				t.Errorf("%d bytes came back with checksum %s (%v), want %d with %s", n, got, err, slowSize, sum)
			}
		})
	}
}
