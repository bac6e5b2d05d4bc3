package e2e

import (
	"context"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

var screenshots = flag.String("page-screenshots", "", "directory for pictures of the statistics page")

// browser is a headless Chromium with one page, and what it complained about.
type browser struct {
	context.Context
	t testing.TB

	mu         sync.Mutex
	complaints []string
	hosts      map[string]bool // that it asked for something
}

// browse starts one. It ends with the test.
func browse(t testing.TB) *browser {
	t.Helper()
	path := harness.Program(t, "chromium")
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("disable-component-update", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's sandbox is not for root
	}
	allocator, end := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	ctx, late := context.WithTimeout(ctx, 100*time.Second)
	b := &browser{Context: ctx, t: t, hosts: map[string]bool{}}
	t.Cleanup(func() { late(); stop(); end() })
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	b.do("start", chromedp.EmulateViewport(1600, 1000))
	return b
}

func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, fmt.Sprintf("exception: %+v", e.ExceptionDetails))
	case *runtime.EventConsoleAPICalled:
		for _, a := range e.Args {
			b.complaints = append(b.complaints, fmt.Sprintf("console.%s: %s", e.Type, a.Value))
		}
	case *log.EventEntryAdded:
		b.complaints = append(b.complaints, fmt.Sprintf("%s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err == nil && u.Scheme != "data" {
			b.hosts[u.Host] = true
		}
	}
}

// do runs actions, all of which must succeed.
func (b *browser) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b, actions...); err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.t.Fatalf("%s: %v\n%s", what, err, strings.Join(b.complaints, "\n"))
	}
}

// await waits until an expression of JavaScript is true.
func (b *browser) await(what, expression string) {
	b.t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for {
		if read[bool](b, "!!("+expression+")") {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s does not come: %s\n%s", what, expression, read[string](b, "document.body.innerText"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// read gives the value of an expression.
func read[T any](b *browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// open goes to an address as somebody who types user and password.
func (b *browser) open(address, user, password string) {
	b.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	b.do("open "+address, chromedp.Navigate(u.String()))
}

// Helpers for the page's script.
const pageHelpers = `window.part = name => [...document.querySelectorAll('.proxy')].find(p => p.querySelector('.name').textContent === name);
window.line = (proxy, name) => [...part(proxy).querySelectorAll('tbody tr')].find(r => r.querySelector('.key').textContent === name);
window.field = (proxy, name, key) => { const i = [...part(proxy).querySelectorAll('thead .sort')].findIndex(b => b.dataset.key === key); return line(proxy, name).children[i].innerText; };
window.names = proxy => [...part(proxy).querySelectorAll('tbody tr .key')].map(k => k.textContent).join(' ');
window.order = (proxy, key) => [...part(proxy).querySelectorAll('tbody tr.server')].map(r => field(proxy, r.querySelector('.key').textContent, key)); true`

// The page in a browser, under traffic.
func TestThePage(t *testing.T) {
	s := startScene(t)
	b := browse(t)
	b.open(s.page, pageUser, pagePassword)
	b.do("helpers", chromedp.Evaluate[chromedp.Void](pageHelpers))

	b.await("all proxies", `document.querySelectorAll('.proxy').length === 5 && line('redis', 'cache2') && line('web', 'spare')`)
	b.await("states", `line('postgres', 'db3').dataset.state === 'down' && line('web', 'web7').dataset.state === 'maint' && line('web', 'web6').dataset.state === 'drain' && line('web', 'web1').dataset.state === 'up'`)
	sessions := `Number(field('https', 'Frontend', 'stot').replaceAll(',', ''))`
	before := read[float64](b, sessions)
	b.await("growing numbers", fmt.Sprintf("%s > %v", sessions, before))
	b.await("waiting flows", `Number(field('redis', 'Backend', 'qmax')) > 0`)
	b.await("charts that are drawn", `[...document.querySelectorAll('.chart canvas')].every(c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(x => x)) && /[0-9]/.test(document.querySelector('.chart .series b').textContent)`)

	b.do("sort", chromedp.Evaluate[chromedp.Void](`part('web').querySelector('[data-key=weight]').click()`))
	if got := read[string](b, `part('web').querySelector('[data-key=weight]').parentNode.getAttribute('aria-sort')`); got != "descending" {
		t.Errorf("aria-sort is %q", got)
	}
	weights := read[[]string](b, `order('web', 'weight')`)
	for i := 1; i < len(weights); i++ {
		if len(weights[i]) > len(weights[i-1]) || len(weights[i]) == len(weights[i-1]) && weights[i] > weights[i-1] {
			t.Errorf("sorted by weight: %v", weights)
			break
		}
	}
	if got := read[string](b, `names('web')`); !strings.HasPrefix(got, "web3 web6") || !strings.HasSuffix(got, "Backend") {
		t.Errorf("sorted by weight: %s", got)
	}
	b.do("sort no more", chromedp.Click(chromedp.CSS("#unsort")))

	b.do("filter", chromedp.SendKeys(chromedp.CSS("#filter"), "db2"))
	if got := read[string](b, `[...document.querySelectorAll('.proxy')].filter(p => !p.hidden).map(p => names(p.querySelector('.name').textContent)).join('; ')`); got != "Frontend db2 Backend" {
		t.Errorf("the filter shows %q", got)
	}
	b.do("filter no more", chromedp.Evaluate[chromedp.Void](`document.getElementById('filter').value = ''; document.getElementById('filter').dispatchEvent(new Event('input'))`))
	b.do("problems", chromedp.Click(chromedp.CSS("#problems")))
	if got := read[string](b, `names('postgres')`); got != "Frontend db3 Backend" {
		t.Errorf("problems are %q", got)
	}
	b.do("all again", chromedp.Click(chromedp.CSS("#problems")))

	b.change("postgres", "db2", "maint")
	b.await("maintenance", `line('postgres', 'db2').dataset.state === 'maint' && field('postgres', 'db2', 'status').startsWith('MAINT')`)
	if got := s.status(t, "postgres", "db2"); got != "MAINT" {
		t.Errorf("show stat has %q", got)
	}
	b.change("postgres", "db2", "ready")
	b.await("back in service", `line('postgres', 'db2').dataset.state === 'up'`)

	b.narrow(s)
	s.pictures(b)
	b.judge(s.host)
}

// change does something to a server as a user does: it is selected, a button is pressed, and what is asked is answered.
func (b *browser) change(proxy, server, action string) {
	b.t.Helper()
	box := fmt.Sprintf(`input[aria-label="Select %s/%s"]`, proxy, server)
	b.do("select", chromedp.Click(chromedp.CSS(box)), chromedp.Click(chromedp.CSS(`#actions [data-action=`+action+`]`)))
	if action != "ready" && action != "drain" {
		b.await("a question", `document.getElementById('confirm').open`)
		b.do("yes", chromedp.Click(chromedp.CSS(`#confirm [value=yes]`)))
	}
	b.await("word of it", `[...document.querySelectorAll('.toast')].some(t => t.textContent.includes('done for 1 server'))`)
	b.do("tidy", chromedp.Evaluate[chromedp.Void](`document.querySelectorAll('.toast button').forEach(b => b.click())`), chromedp.Click(chromedp.CSS(box)))
}

// narrow looks at the page as a phone does: nothing is wider than the screen.
func (b *browser) narrow(s *scene) {
	b.t.Helper()
	b.do("narrow", chromedp.EmulateViewport(390, 844))
	b.await("a narrow page", `innerWidth === 390`)
	if wide := read[float64](b, `document.scrollingElement.scrollWidth`); wide > 390 {
		b.t.Errorf("a screen of 390 pixels has a page of %v; too wide: %s", wide,
			read[string](b, `[...document.querySelectorAll('main *, header *')].filter(e => e.getBoundingClientRect().right > 391).map(e => e.className || e.tagName).slice(0, 8).join(', ')`))
	}
	b.do("wide", chromedp.EmulateViewport(1600, 1000))
}

// judge fails the test for what the browser complained about, and for hosts that it should not have asked.
func (b *browser) judge(host string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		b.t.Errorf("the browser says: %s", c)
	}
	for h := range b.hosts {
		if h != host {
			b.t.Errorf("the page asked %s for something", h)
		}
	}
}

// status is what "show stat" says of a server, as scripts read it from the page.
func (s *scene) status(t testing.TB, proxy, server string) string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(s.get(t, ";csv"), "# "))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r[0] == proxy && r[1] == server {
			return r[17]
		}
	}
	t.Fatalf("no server %s/%s in %v", proxy, server, rows)
	return ""
}

// get asks for something behind the page's address.
func (s *scene) get(t testing.TB, what string) string {
	t.Helper()
	r, _ := http.NewRequest("GET", s.page+what, nil)
	r.SetBasicAuth(pageUser, pagePassword)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != 200 {
		t.Fatalf("%s: %s, %v\n%s", what, answer.Status, err, body)
	}
	return string(body)
}

// A page of somebody else makes the operator's browser, which knows the password, send changes. None is made.
func TestForgedChanges(t *testing.T) {
	s := startScene(t)
	sent := make(chan struct{}, 2)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sent" {
			sent <- struct{}{}
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<form method="post" action="%s" target="out"><input name="action" value="maint"><input name="s" value="postgres/db1"></form><iframe name="out"></iframe>
<script>document.forms[0].submit();
fetch('%[1]s', {method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams({action: 'maint', s: 'postgres/db1'})}).catch(() => {}).then(() => fetch('/sent'));
fetch('%[1]s', {method: 'POST', credentials: 'include', headers: {'X-Sluice-Token': 'guess'}, body: new URLSearchParams({action: 'maint', s: 'postgres/db1'})}).catch(() => {}).then(() => fetch('/sent'));
</script>`, s.page)
	}))
	defer evil.Close()
	b := browse(t)
	b.open(s.page, pageUser, pagePassword)
	b.await("the page", `document.querySelectorAll('.proxy').length === 5`)
	b.do("the other page", chromedp.Navigate(evil.URL))
	for range 2 {
		select {
		case <-sent:
		case <-time.After(40 * time.Second):
			t.Fatal("the other page did not send its forgeries")
		}
	}
	harness.Eventually(t, "forgeries that are counted", func() bool { return !strings.Contains(s.get(t, ";data"), `"forged":0,`) })
	if got := s.status(t, "postgres", "db1"); !strings.HasPrefix(got, "UP") { // "UP 1/3" on a machine that is too busy for a check
		t.Errorf("a forged change made it %q", got)
	}
}

// pictures makes those of docs/page.md, if they are asked for.
func (s *scene) pictures(b *browser) {
	if *screenshots == "" {
		return
	}
	time.Sleep(45 * time.Second) // until the charts have something to show
	b.do("selection", chromedp.Evaluate[chromedp.Void](`document.querySelectorAll('.toast').forEach(t => t.remove()); scrollTo(0, 0)`))
	for _, x := range []struct {
		name, theme   string
		width, height int64
		scale         float64
		script        string
	}{
		{"light", "light", 1600, 1180, 1, ""}, {"dark", "dark", 1600, 1180, 1, ""}, {"phone", "light", 390, 1500, 1.5, ""},
		{"changes", "light", 1600, 900, 1, `document.querySelectorAll('input[aria-label^="Select postgres/db"]').forEach(b => b.click()); part('postgres').scrollIntoView({block: 'center'}); document.querySelector('[data-action=maint]').click()`},
	} {
		b.do(x.name, chromedp.Evaluate[chromedp.Void](x.script))
		view := []chromedp.EmulateViewportOption{chromedp.EmulateScale(x.scale)}
		if x.width < 500 {
			view = append(view, chromedp.EmulateMobile)
		}
		b.do(x.name, chromedp.EmulateViewport(x.width, x.height, view...))
		if _, err := chromedp.Call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: x.theme}}}); err != nil {
			b.t.Fatal(err)
		}
		time.Sleep(2500 * time.Millisecond) // the next data, in the new size
		png, err := chromedp.Run(b, chromedp.CaptureScreenshot())
		if err != nil {
			b.t.Fatal(err)
		}
		path := filepath.Join(*screenshots, x.name+".png")
		harness.WriteFile(b.t, path, string(png))
		if shrink, err := exec.LookPath("pngquant"); err == nil {
			exec.Command(shrink, "--force", "--ext", ".png", path).Run()
		}
	}
}
