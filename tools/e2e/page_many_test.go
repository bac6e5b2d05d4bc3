package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// Two hundred proxies with five thousand servers: the page shows them, finds one of them, and makes tables only of what is seen.
// -v prints what it costs.
func TestThePageOfManyServers(t *testing.T) {
	harness.SluiceOnly(t, harness.StatisticsPage)
	const proxies, servers = 200, 25
	addr := harness.Loopback(t)
	config := "global\n  stats listen " + addr + " refresh 1s\ndefaults\n  timeout connect 2s\n  timeout server 30s\n  timeout client 30s\n" + section("frontend front", "bind "+harness.Loopback(t), "default_backend pool001")
	for p := range proxies - 1 {
		lines := []string{"balance leastconn"}
		for i := range servers {
			lines = append(lines, fmt.Sprintf("server s%03d-%02d 127.0.0.1:%d", p+1, i+1, 1000+i))
		}
		config += section(fmt.Sprintf("backend pool%03d", p+1), lines...)
	}
	process := harness.Start(t, config, harness.Options{Leaky: "the clients of the page keep their connections"})

	for range 3 { // what one answer costs the process
		before, start := harness.CPU(process.PID), time.Now()
		r, _ := http.NewRequest("GET", "http://"+addr+"/stats;data", nil)
		r.Header.Set("Accept-Encoding", "gzip")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		n, err := answer.Body.Read(make([]byte, 1))
		size := int64(n)
		for err == nil {
			buffer := make([]byte, 32<<10)
			n, err = answer.Body.Read(buffer)
			size += int64(n)
		}
		answer.Body.Close()
		t.Logf("an answer: %d bytes compressed, %v, CPU %v", size, time.Since(start), harness.CPU(process.PID)-before)
		time.Sleep(600 * time.Millisecond) // past what is kept for others
	}

	b := browse(t)
	start := time.Now()
	b.do("open", chromedp.Navigate("http://"+addr+"/stats"))
	b.do("helpers", chromedp.Evaluate[chromedp.Void](pageHelpers))
	b.await("all proxies", fmt.Sprintf(`document.querySelectorAll('.proxy').length === %d && line('pool001', 's001-25')`, proxies))
	t.Logf("shown after %v", time.Since(start))
	if got := read[string](b, `document.getElementById('count').textContent`); got != "200 proxies, 4,975 servers" {
		t.Errorf("the page counts %q", got)
	}
	if n := read[int](b, `document.querySelectorAll('tbody tr').length`); n > 1000 {
		t.Errorf("%d rows were made at once", n)
	}
	b.await("more data", `Number(document.documentElement.dataset.updates) > 4`)
	t.Logf("an update takes the page %s ms", read[string](b, `document.documentElement.dataset.took`))
	b.do("filter", chromedp.SendKeys(chromedp.CSS("#filter"), "s150-07"))
	b.await("the one", `names('pool150') === 's150-07 Backend' && document.getElementById('count').textContent.startsWith('1 of 200')`)
	b.do("filter no more", chromedp.Evaluate[chromedp.Void](`document.getElementById('filter').value = ''; document.getElementById('filter').dispatchEvent(new Event('input')); part('pool199').scrollIntoView()`))
	b.await("the last table", `line('pool199', 's199-01')`)
	b.judge(addr)
	if text := process.Stderr.Text(); strings.Contains(text, "panic") {
		t.Error(text)
	}
}
