package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// scene is a balancer with a statistics page, servers in all states, and clients that keep it busy until the test ends.
type scene struct {
	balancer *harness.Balancer
	page     string // the page's address without user and password
	host     string
}

const pageUser, pagePassword = "ops", "pa:ss"

// startScene starts one.
func startScene(t *testing.T) *scene {
	harness.SluiceOnly(t, harness.StatisticsPage)
	shop, db, cache, stats := harness.Loopback(t), harness.Loopback(t), harness.Loopback(t), harness.Loopback(t)
	server := func(name, options string) string {
		return fmt.Sprintf("server %s %s %s", name, harness.Serve(t, answerSlowly).Addr, options)
	}
	var web []string
	for i := range 6 {
		web = append(web, server(fmt.Sprintf("web%d", i+1), "check weight "+fmt.Sprint(10*(1+i%3))))
	}
	socket := filepath.Join(harness.ShortDir(t), "s")
	config := "global\n  node lb1.example.net\n  description front door, row 4\n  stats socket " + socket + " level admin\n" +
		"defaults\n  timeout connect 2s\n  timeout client 30s\n  timeout server 30s\n  timeout queue 10s\n  option redispatch\n" +
		section("frontend stats", "mode http", "bind "+stats, "stats enable", "stats uri /stats", "stats show-node", "stats show-desc", "stats show-legends", "stats refresh 1s",
			"stats auth "+pageUser+":"+pagePassword, "stats auth guest:guest", "stats admin if LOCALHOST", "monitor-uri /alive") +
		section("frontend https", "bind "+shop, "default_backend web", "maxconn 2000") +
		section("backend web", append(append([]string{"balance roundrobin", "description the shop"}, web...), server("web7", "check disabled"), server("canary", ""), server("spare", "check backup"))...) +
		section("listen postgres", "bind "+db, "balance leastconn", "default-server maxconn 100", server("db1", "check"), server("db2", "check"),
			"server db3 "+harness.Refused(t)+" check inter 1s", server("db4", "")) +
		section("listen redis", "bind "+cache, "balance first", server("cache1", "maxconn 2 check"), server("cache2", "maxconn 2 check"))
	s := &scene{balancer: harness.Start(t, config, harness.Options{Leaky: "clients go on until the end"}), page: "http://" + stats + "/stats", host: stats}
	operate(t, "unix", socket, "set server web/web6 state drain; set server postgres/db4 weight 50")
	s.load(t, shop, 10)
	s.load(t, db, 5)
	s.load(t, cache, 9)
	return s
}

// answerSlowly is a server that thinks, and then answers with more than it was asked.
func answerSlowly(s harness.Stream) {
	b := make([]byte, 4096)
	for {
		n, err := s.Read(b)
		if err != nil {
			return
		}
		time.Sleep(time.Duration(10+rand.IntN(40)) * time.Millisecond)
		if _, err := s.Write([]byte(strings.Repeat(string(b[:n]), 1+rand.IntN(8)))); err != nil {
			return
		}
	}
}

// load lets clients connect, ask a few times, and leave, until the test ends.
func (s *scene) load(t *testing.T, addr string, clients int) {
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(rand.IntN(120)) * time.Millisecond):
				}
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					continue
				}
				conn.SetDeadline(time.Now().Add(10 * time.Second))
				for range 1 + rand.IntN(6) {
					io.WriteString(conn, strings.Repeat("x", 200+rand.IntN(600)))
					if _, err := conn.Read(make([]byte, 8192)); err != nil {
						break
					}
				}
				conn.Close()
			}
		})
	}
	t.Cleanup(func() { close(stop); all.Wait() })
}
