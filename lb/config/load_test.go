package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the expected results anew")

// checkFormat stands for the parser of log formats.
func checkFormat(format string, _ *Env) error {
	if strings.Contains(format, "%{") {
		return errors.New("flags are not known here")
	}
	return nil
}

func load(name, text string) (*Config, []Diagnostic) {
	return Load([]File{{Name: name, Data: []byte(text)}}, NewEnv([]string{"ORIGIN=10.0.0.7"}), LoadOptions{CheckLogFormat: checkFormat})
}

// complaints gives one diagnostic on a line.
func complaints(list []Diagnostic) string {
	var b strings.Builder
	for _, d := range list {
		fmt.Fprintf(&b, "%s:%d: %s: %s\n", d.Pos.File, d.Pos.Line, strings.ToLower(d.Severity.String()), d.Text)
	}
	return b.String()
}

func printed(t testing.TB, c *Config) string {
	var b bytes.Buffer
	if err := Print(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestGolden compares the complaints about each file of testdata with what stands beside it. Files that are accepted
// show the canonical configuration too.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.cfg")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".cfg")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, diagnostics := load(filepath.Base(file), string(text))
			got := complaints(diagnostics)
			if c != nil {
				got += "---\n" + printed(t, c)
				roundTrip(t, c)
			}
			want := strings.TrimSuffix(file, ".cfg") + ".want"
			if *update {
				if err := os.WriteFile(want, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			expected, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(expected) {
				t.Errorf("got:\n%s\nexpected:\n%s", got, expected)
			}
			if accepted := strings.HasPrefix(name, "ok-"); accepted != (c != nil) {
				t.Errorf("accepted: %v", c != nil)
			}
		})
	}
}

// roundTrip prints a configuration, reads it, and compares.
func roundTrip(t testing.TB, c *Config) {
	t.Helper()
	text := printed(t, c)
	again, diagnostics := load("again", text)
	if again == nil {
		t.Fatalf("what was printed is refused:\n%s\n%s", complaints(diagnostics), text)
	}
	if second := printed(t, again); second != text {
		t.Errorf("printed first:\n%s\nand then:\n%s", text, second)
	}
	for _, p := range slices.Concat(c.Proxies, again.Proxies) { // what is printed has it on each server
		p.defaultServer = nil
	}
	forgetPlaces(reflect.ValueOf(c))
	forgetPlaces(reflect.ValueOf(again))
	if !reflect.DeepEqual(c, again) {
		t.Errorf("the model differs after printing and reading:\n%s", text)
	}
}

// forgetPlaces clears every Pos and IDGiven, since what is printed gives all numbers, and makes empty slices nil.
func forgetPlaces(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			forgetPlaces(v.Elem())
		}
	case reflect.Slice:
		if v.Len() == 0 && v.CanSet() {
			v.SetZero()
		}
		for i := range v.Len() {
			forgetPlaces(v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[Pos]() {
			v.SetZero()
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Name == "IDGiven" {
				v.Field(i).SetBool(false)
			}
			if v.Field(i).CanSet() {
				forgetPlaces(v.Field(i))
			}
		}
	}
}
