// Package report makes results readable: a summary for a terminal, Markdown with SVG plots, one self-contained HTML page, and
// what changed from one result to another.
//
// A report is a document of headings, paragraphs, tables and plots, which is written once as Markdown and once as HTML.
package report

import (
	"encoding/base64"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strings"

	_ "embed"

	"github.com/sluice-lb/sluice/bench/result"
)

// Named is a result and the file that it is from.
type Named struct {
	Name string
	File *result.File
}

// document is a list of blocks. One field of each is set.
type document []block

type block struct {
	Heading   string
	Level     int // of the heading
	Paragraph string
	Items     []string
	Table     *table
	Plot      *picture
	Code      *code
}

type table struct {
	Head []string
	Rows [][]string
}

type picture struct {
	Name, Alt string
	SVG       []byte
}

type code struct{ Title, Text string }

func (d *document) heading(level int, text string) {
	*d = append(*d, block{Heading: text, Level: level})
}

func (d *document) paragraph(format string, values ...any) {
	*d = append(*d, block{Paragraph: fmt.Sprintf(format, values...)})
}

func (d *document) items(items []string) {
	if len(items) > 0 {
		*d = append(*d, block{Items: items})
	}
}

func (d *document) table(t *table) { *d = append(*d, block{Table: t}) }

func (d *document) plot(name, alt string, svg []byte) {
	if svg != nil {
		*d = append(*d, block{Plot: &picture{name, alt, svg}})
	}
}

func (d *document) code(title, text string) { *d = append(*d, block{Code: &code{title, text}}) }

// markdown writes the document with its plots as files beside it.
func (d document) markdown() string {
	var b strings.Builder
	for _, x := range d {
		switch {
		case x.Heading != "":
			fmt.Fprintf(&b, "%s %s\n\n", strings.Repeat("#", x.Level), x.Heading)
		case x.Items != nil:
			for _, item := range x.Items {
				fmt.Fprintf(&b, "- %s\n", item)
			}
			b.WriteByte('\n')
		case x.Table != nil:
			row := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
			row(x.Table.Head)
			fmt.Fprintf(&b, "|%s\n", strings.Repeat("---|", len(x.Table.Head)))
			for _, cells := range x.Table.Rows {
				row(cells)
			}
			b.WriteByte('\n')
		case x.Plot != nil:
			fmt.Fprintf(&b, "![%s](%s.svg)\n\n", x.Plot.Alt, x.Plot.Name)
		case x.Code != nil:
			fmt.Fprintf(&b, "%s\n\n```\n%s\n```\n\n", x.Code.Title, strings.TrimRight(x.Code.Text, "\n"))
		default:
			fmt.Fprintf(&b, "%s\n\n", x.Paragraph)
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

//go:embed page.html.tmpl
var page string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	// A plot is shown as an image, so that identifiers within two plots do not meet.
	"data": func(svg []byte) template.URL {
		return template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(svg))
	},
	"prose": prose,
}).Parse(page))

// prose is a paragraph with `code` and **strong words** in it. Of the latter, code is a part.
func prose(text string) template.HTML {
	var b strings.Builder
	strong := false
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 {
			fmt.Fprintf(&b, "<code>%s</code>", template.HTMLEscapeString(part))
			continue
		}
		for j, words := range strings.Split(part, "**") {
			if j > 0 {
				b.WriteString(map[bool]string{false: "<strong>", true: "</strong>"}[strong])
				strong = !strong
			}
			b.WriteString(template.HTMLEscapeString(words))
		}
	}
	return template.HTML(b.String())
}

// Write makes report.md, its plots, and report.html in a directory, and gives the files that it wrote.
func Write(directory string, files []Named) (written []string, err error) {
	d, err := build(files)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return nil, err
	}
	save := func(name string, text []byte) {
		path := filepath.Join(directory, name)
		if err == nil {
			err = os.WriteFile(path, text, 0o644)
		}
		if err == nil {
			written = append(written, path)
		}
	}
	var html strings.Builder
	if err := pageTemplate.Execute(&html, d); err != nil {
		return nil, err
	}
	save("report.md", []byte(d.markdown()))
	save("report.html", []byte(html.String()))
	for _, x := range d {
		if x.Plot != nil {
			save(x.Plot.Name+".svg", x.Plot.SVG)
		}
	}
	return written, err
}
