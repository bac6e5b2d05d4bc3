package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-lb/sluice/bench/result"
)

// A page is a document that somebody wrote, with places for what a result says: everything between "<!-- bench: PART -->" and
// "<!-- end of PART -->". The parts are
//
//	conditions   where, when and with what it was measured
//	targets      each scenario that has a target: sluice, HAProxy, their ratio, and whether the target is met
//	standings    whether sluice is ahead of each of the others, scenario by scenario
//	calls        system calls by name
//	profile      where the time goes
//	features     sluice with and without each of the kernel's features
//
// A page need not have all of them.

// parts of a page.
var parts = map[string]func(*part){
	"conditions": (*part).conditions,
	"targets":    (*part).targets,
	"standings":  func(p *part) { p.standings(p.rivals()) },
	"calls":      (*part).allCalls,
	"profile":    (*part).allProfiles,
	"features":   (*part).features,
}

const beginMark, endMark = "<!-- bench: ", "<!-- end of "

// NotYet stands in a page's parts before there is a result.
const NotYet = "Not measured yet."

// FillPage replaces a page's parts by what a result says; without one, by NotYet. Its error is that a mark is unknown, not there, or there twice.
func FillPage(page string, from *Named) (string, error) {
	var filled strings.Builder
	seen := map[string]bool{}
	for {
		before, rest, found := strings.Cut(page, beginMark)
		filled.WriteString(before)
		if !found {
			break
		}
		name, rest, _ := strings.Cut(rest, " -->")
		write, known := parts[name]
		end := endMark + name + " -->"
		old, after, ended := strings.Cut(rest, end)
		switch {
		case !known:
			return "", fmt.Errorf("there is no part '%s' of a page", name)
		case seen[name]:
			return "", fmt.Errorf("the part '%s' is there twice", name)
		case !ended || strings.Contains(old, beginMark):
			return "", fmt.Errorf("the part '%s' has no end", name)
		}
		seen[name] = true
		text := NotYet
		if from != nil {
			p := &part{document: &document{}, file: from.File, reference: reference(from.File)}
			write(p)
			text = strings.TrimSpace(p.markdown())
		}
		fmt.Fprintf(&filled, "%s%s -->\n\n%s\n\n%s", beginMark, name, text, end)
		page = after
	}
	if len(seen) == 0 {
		return "", fmt.Errorf("the page has no part: no line %sNAME -->", beginMark)
	}
	return filled.String(), nil
}

// targets says of each target if it was met, against each HAProxy.
func (p *part) targets() {
	for _, x := range p.file.Subjects {
		if x.Kind != "haproxy" {
			continue
		}
		p.paragraph("Against `%s` (%s):", x.Name, x.Version)
		t := &table{Head: []string{"scenario", "metric", own, x.Name, "ratio, median of pairs (95 %)", "target", "met"}}
		for i := range p.file.Scenarios {
			s := &p.file.Scenarios[i]
			if s.Target == 0 {
				continue
			}
			m := result.MetricOf(s.Main[0])
			r := s.Ratio(own, x.Name, m.Name)
			t.Rows = append(t.Rows, []string{
				s.Title, title(m, s.Unit), spread(m.Kind, s.Values(own, m.Name)), spread(m.Kind, s.Values(x.Name, m.Name)), ratio(r), fmt.Sprintf("≤ %.2f", s.Target), met(r, s.Target),
			})
		}
		p.table(t)
	}
}

// met says if a ratio meets a target.
func met(r result.Ratio, target float64) string {
	switch {
	case !r.Certain():
		return fmt.Sprintf("not said: %d of %d pairs count", r.Pairs, r.Pairs+r.Left)
	case r.High <= target:
		return "yes"
	case r.Value <= target:
		return "yes, but the interval reaches over it"
	case r.Low <= target:
		return "no, but the interval reaches it"
	default:
		return "no"
	}
}

// compared are sluice and its rivals, for tables that would be too wide with all its variants.
func (p *part) compared() []string { return slices.Concat([]string{own}, p.rivals()) }

func (p *part) allCalls() {
	for i := range p.file.Scenarios {
		s := &p.file.Scenarios[i]
		if t := callsTable(s, p.compared()); t != nil {
			p.paragraph("%s:", upper(s.Title))
			p.table(t)
		}
	}
}

// rowsOnPage is the number of symbols that a page shows.
const rowsOnPage = 8

func (p *part) allProfiles() {
	p.paragraph("%s", profileNote)
	for i := range p.file.Scenarios {
		s := &p.file.Scenarios[i]
		if t := profileTable(s, p.compared(), rowsOnPage); t != nil {
			p.paragraph("%s:", upper(s.Title))
			p.table(t)
		}
	}
}

func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
