package config

import (
	"fmt"
	"slices"
	"strings"
)

// Env holds the environment variables that a configuration sees and changes. It is a copy: the process's own
// environment is neither read nor written. It belongs to one goroutine.
type Env struct {
	values map[string]string
}

// NewEnv makes an Env from strings of the form NAME=value, as os.Environ gives them. Of several with one name the first
// counts, as with getenv(3); strings without a name are left out.
func NewEnv(environ []string) *Env {
	e := &Env{values: make(map[string]string, len(environ))}
	for _, entry := range environ {
		if name, value, found := strings.Cut(entry, "="); found && name != "" {
			e.SetIfUnset(name, value)
		}
	}
	return e
}

// Lookup gives the value of a variable and whether it exists.
func (e *Env) Lookup(name string) (string, bool) {
	value, found := e.values[name]
	return value, found
}

// Set gives a variable a value: "setenv". A name that is empty or holds '=' is an error, as it is for setenv(3).
func (e *Env) Set(name, value string) error {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		return fmt.Errorf("'%s' cannot be the name of a variable", name)
	}
	e.values[name] = value
	return nil
}

// SetIfUnset is Set for a variable that does not exist yet, and nothing otherwise: "presetenv".
func (e *Env) SetIfUnset(name, value string) error {
	if _, found := e.values[name]; found {
		return nil
	}
	return e.Set(name, value)
}

// Unset removes a variable: "unsetenv".
func (e *Env) Unset(name string) {
	delete(e.values, name)
}

// Reset removes all variables but those named: "resetenv".
func (e *Env) Reset(keep ...string) {
	for name := range e.values {
		if !slices.Contains(keep, name) {
			delete(e.values, name)
		}
	}
}
