package page

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"strconv"
	"strings"
)

//go:embed assets
var assets embed.FS

// scripts in the order in which they stand in the document, as one.
var scripts = []string{"format.js", "columns.js", "history.js", "chart.js", "section.js", "actions.js", "main.js"}

// document parts, made at start: the page up to what differs, and the policy that lets its style and script in by their sums.
var (
	frame  string
	policy string
)

func init() {
	read := func(name string) string {
		b, err := assets.ReadFile("assets/" + name)
		if err != nil {
			panic(err) // they are part of the program
		}
		return string(b)
	}
	script := "(() => {\n'use strict';\n"
	for _, name := range scripts {
		script += read(name)
	}
	script += "})();\n"
	style := read("style.css")
	sum := func(text string) string {
		b := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(b[:]) + "'"
	}
	frame = strings.NewReplacer("@STYLE@", style, "@SCRIPT@", script).Replace(read("page.html"))
	policy = "default-src 'none'; style-src " + sum(style) + "; script-src " + sum(script) + "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// document answers with the page. What it shows, its script asks for.
func (s *Site) document(w http.ResponseWriter, r *http.Request, wished wish) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	if r.Method == http.MethodHead {
		return
	}
	body, finish := compressed(w, r)
	defer finish()
	title := "sluice"
	if s.page.ShowNode {
		title = s.node() + " · sluice"
	}
	io.WriteString(body, strings.NewReplacer(
		"@TITLE@", html.EscapeString(title), "@PREFIX@", html.EscapeString(s.page.URI), "@SCOPE@", html.EscapeString(wished.scope),
		"@UP@", strconv.FormatBool(wished.up), "@PAUSED@", strconv.FormatBool(wished.noRefresh),
	).Replace(frame))
}

// node is the machine's name as the page shows it.
func (s *Site) node() string {
	if s.page.Node != "" {
		return s.page.Node
	}
	return s.options.CLI.Info().Node
}
