package config

// Env holds the environment variables that a configuration sees.
type Env struct{ vars map[string]string }

// NewEnv makes an Env from "NAME=value" strings, as os.Environ gives them.
func NewEnv(environ []string) *Env { return &Env{vars: map[string]string{}} }

// Lookup finds a variable.
func (e *Env) Lookup(name string) (string, bool) { v, ok := e.vars[name]; return v, ok }

// Set is "setenv".
func (e *Env) Set(name, value string) { e.vars[name] = value }

// SetIfUnset is "presetenv".
func (e *Env) SetIfUnset(name, value string) {}

// Unset is "unsetenv".
func (e *Env) Unset(name string) { delete(e.vars, name) }

// Reset is "resetenv": all variables but those named are removed.
func (e *Env) Reset(keep ...string) {}
