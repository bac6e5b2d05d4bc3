//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sluice-lb/sluice/bench/report"
	"github.com/sluice-lb/sluice/bench/result"
	"github.com/sluice-lb/sluice/bench/runner"
	"github.com/sluice-lb/sluice/bench/scenario"
	subjects "github.com/sluice-lb/sluice/bench/subject"
)

const runHelp = `Usage: bench [run] [flags]

Puts the same load on several balancers in turn and writes what they used for it into a JSON file. "bench report FILE" makes it
readable. Ctrl-C ends it early, with a file of what there is. bench/README.md says how to read it.

Scenarios:
`

// runPlan is a kind of run: how much of everything.
type runPlan struct {
	rounds    int
	secondary int           // rounds of scenarios without a target
	budget    time.Duration // for all of it
	shortest  time.Duration // of a run
}

var (
	quickPlan = runPlan{3, 3, 165 * time.Second, 200 * time.Millisecond}
	fullPlan  = runPlan{10, 6, 29 * time.Minute, 500 * time.Millisecond}
)

const longest = 5 * time.Second

func runCommand(ctx context.Context, arguments []string, out, remarks io.Writer) error {
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() {
		io.WriteString(out, runHelp)
		for _, s := range scenario.All {
			mark := ""
			if s.Detailed() {
				mark = " *"
			}
			fmt.Fprintf(out, "  %-22s %s%s\n", s.Name, s.Title, mark)
		}
		fmt.Fprintln(out, "* with -calls and -profile\n\nFlags:")
		f.PrintDefaults()
	}
	names := f.String("scenarios", "", "`list` of scenarios; keepalive* means all that begin so (default: all, with -quick some)")
	words := f.String("subjects", "", "`list` of subjects; a name, or name=path (default: all, and those in HAPROXY=path:path)")
	rounds := f.Int("rounds", 0, "rounds (default 10, and 6 of scenarios without a target; with -quick 3)")
	quick := f.Bool("quick", false, "in three minutes: fewer scenarios, three rounds")
	full := f.Bool("full", false, "in thirty minutes: everything (the default)")
	budget := f.Duration("budget", 0, "time for all of it, which says how long a run is (default 29m, with -quick 2m45s)")
	length := f.Duration("length", 0, "measured time of a run, instead of a budget")
	tolerate := f.Float64("tolerate", 0.05, "share of a run that a subject may have waited for its core, or the hypervisor taken")
	calls := f.Bool("calls", false, "count system calls by name in a run of its own for each subject, where perf can (default: yes, but not with -quick)")
	profile := f.Bool("profile", false, "sample where each subject's time goes, likewise (default: yes, but not with -quick)")
	compare := f.Bool("compare", false, "put the load beside wrk and iperf3, which takes a minute (default: yes, if all scenarios are run)")
	file := f.String("out", "bench.json", "`file` for the result")
	if err := f.Parse(arguments); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return usageError{err}
	}
	if f.NArg() > 0 || *quick && *full || *rounds < 0 || *budget < 0 || *length < 0 || *tolerate < 0 {
		return usageError{errors.New("wrong arguments; see bench run -h")}
	}
	plan := fullPlan
	if *quick {
		plan = quickPlan
	}
	if *rounds > 0 {
		plan.rounds, plan.secondary = *rounds, *rounds
	}
	if *budget > 0 {
		plan.budget = *budget
	}
	chosen, err := choose(*names, *quick)
	if err != nil {
		return usageError{err}
	}
	given := map[string]bool{}
	f.Visit(func(x *flag.Flag) { given[x.Name] = true })
	o := runner.Options{
		Scenarios: chosen, Rounds: plan.rounds, Secondary: plan.secondary, Tolerate: *tolerate, Calls: *calls || !given["calls"] && !*quick, Profile: *profile || !given["profile"] && !*quick,
	}
	o.Compare = *compare || !given["compare"] && !*quick && *names == ""
	if o.Compare {
		plan.budget -= runner.CompareTime
	}
	return measure(ctx, o, plan, *words, *length, *file, out, remarks)
}

func choose(names string, quick bool) ([]scenario.Scenario, error) {
	if names != "" {
		return scenario.Choose(names)
	}
	if !quick {
		return scenario.All, nil
	}
	var chosen []scenario.Scenario
	for _, s := range scenario.All {
		if s.Quick {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

// measure finds the subjects, runs, and writes the file after each scenario and at the end.
func measure(ctx context.Context, o runner.Options, plan runPlan, words string, length time.Duration, file string, out, remarks io.Writer) (err error) {
	if o.Directory, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	defer os.RemoveAll(o.Directory)
	list := slices.Concat(subjects.Standard, others(os.Getenv("HAPROXY")), subjects.Features)
	if words != "" {
		list = strings.Split(words, ",")
	}
	fmt.Fprintln(remarks, "building what is built from this tree ...")
	if o.Subjects, o.Missing, err = subjects.Find(ctx, list, o.Directory); err != nil {
		return err
	}
	for _, m := range o.Missing {
		fmt.Fprintf(remarks, "left out: %s: %s\n", m.Name, m.Reason)
	}
	if len(o.Subjects) == 0 {
		return errors.New("there is nothing to measure")
	}
	o.Length, o.Warmup = length, length/4
	if length == 0 {
		o.Length, o.Warmup = plan.times(o.Looks())
	}
	bar := newBar(remarks, time.Now)
	o.Step = bar.step
	o.Keep = func(f *result.File) {
		if err := f.Write(file); err != nil {
			bar.say(err.Error())
		}
	}
	result, err := runner.Run(ctx, o)
	bar.end()
	if len(result.Scenarios) > 0 {
		if err2 := result.Write(file); err2 != nil {
			return errors.Join(err, err2)
		}
		report.Summary(out, result)
		fmt.Fprintf(remarks, "\nwritten: %s; \"bench report %s\" makes it readable\n", file, file)
	}
	return err
}

// times fits so many runs into the budget, of which some time goes beside them.
func (p runPlan) times(runs int, beside time.Duration) (length, warmup time.Duration) {
	each := (p.budget - beside) / time.Duration(max(1, runs))
	length = min(max(each*4/5, p.shortest), longest)
	return length, length / 4
}

// others are the programs in a list like PATH's.
func others(list string) (words []string) {
	for path := range strings.SplitSeq(list, ":") {
		if path != "" {
			words = append(words, "haproxy="+path)
		}
	}
	return words
}

func reportCommand(_ context.Context, arguments []string, out, remarks io.Writer) error {
	f := flag.NewFlagSet("report", flag.ContinueOnError)
	f.SetOutput(out)
	directory := f.String("out", "", "`directory` for report.md, report.html and the plots (default: the first file's, named like it)")
	page := f.String("page", "", "a document of one's own, such as docs/performance.md: `file` whose marked parts are filled from the result")
	f.Usage = func() {
		io.WriteString(out, "Usage: bench report [flags] FILE...\n\nMakes Markdown, SVG plots and one self-contained HTML page of result files.\n\nFlags:\n")
		f.PrintDefaults()
	}
	if err := f.Parse(arguments); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return usageError{err}
	}
	if f.NArg() == 0 {
		return usageError{errors.New("a result file is needed")}
	}
	var files []report.Named
	for _, path := range f.Args() {
		read, err := result.Read(path)
		if err != nil {
			return err
		}
		files = append(files, report.Named{Name: path, File: read})
	}
	if *directory == "" {
		*directory = strings.TrimSuffix(f.Arg(0), ".json")
		if *directory == f.Arg(0) {
			*directory += ".report"
		}
	}
	written, err := report.Write(*directory, files)
	if err == nil && *page != "" {
		err = fillPage(*page, files)
		written = append(written, *page)
	}
	for _, path := range written {
		fmt.Fprintln(out, path)
	}
	return err
}

func fillPage(path string, files []report.Named) error {
	if len(files) != 1 {
		return usageError{errors.New("a page is filled from one result")}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	filled, err := report.FillPage(string(text), &files[0])
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(filled), 0o644)
}

func diffCommand(_ context.Context, arguments []string, out, remarks io.Writer) error {
	f := flag.NewFlagSet("diff", flag.ContinueOnError)
	f.SetOutput(out)
	reference := f.String("against", "", "compare ratios to this `subject`, so that a change of the machine cancels out")
	all := f.Bool("all", false, "show what is within the noise, too")
	f.Usage = func() {
		io.WriteString(out, "Usage: bench diff [flags] OLD NEW\n\nSays what changed beyond the noise from one result file to another.\n\nFlags:\n")
		f.PrintDefaults()
	}
	if err := f.Parse(arguments); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return usageError{err}
	}
	if f.NArg() != 2 {
		return usageError{errors.New("two result files are needed")}
	}
	old, err := result.Read(f.Arg(0))
	if err != nil {
		return err
	}
	latest, err := result.Read(f.Arg(1))
	if err != nil {
		return err
	}
	report.Diff(out, old, latest, *reference, *all)
	return nil
}
