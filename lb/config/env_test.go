package config

import "testing"

func TestEnv(t *testing.T) {
	env := NewEnv([]string{"A=1", "A=2", "B=x=y", "C=", "=D", "E"})
	check := func(name, want string, exists bool) {
		t.Helper()
		if got, found := env.Lookup(name); got != want || found != exists {
			t.Errorf("%s is %q, %v; want %q, %v", name, got, found, want, exists)
		}
	}
	check("A", "1", true)
	check("B", "x=y", true)
	check("C", "", true)
	check("", "", false)
	check("E", "", false)

	for _, name := range []string{"", "A=B", "A\x00"} {
		if env.Set(name, "x") == nil || env.SetIfUnset(name, "x") == nil {
			t.Errorf("%q may be the name of a variable", name)
		}
	}
	env.Set("A", "3")
	env.SetIfUnset("A", "4")
	env.SetIfUnset("C", "4") // empty is not unset
	env.SetIfUnset("D", "4")
	check("A", "3", true)
	check("C", "", true)
	check("D", "4", true)
	env.Unset("D")
	env.Unset("D")
	check("D", "", false)
	env.Reset("B", "NONE")
	check("A", "", false)
	check("B", "x=y", true)
	env.Reset()
	check("B", "", false)
}

func TestExpandAddress(t *testing.T) {
	env := NewEnv([]string{"H=10.0.0.1", "P=80", "D=$P", "EMPTY="})
	tests := []struct{ text, want, problem string }{
		{"10.0.0.1:80", "10.0.0.1:80", ""},
		{"$H:$P", "10.0.0.1:80", ""},
		{"${H}:${P}0", "10.0.0.1:800", ""},
		{"[$H]:${NONE-81}-${P-3}", "[10.0.0.1]:81-80", ""},
		{"$NONE$EMPTY${EMPTY-x}", "", ""},
		{"$D", "$P", ""},
		{"", "", ""},
		{"a$", "", "the name of a variable must start with a letter or an underscore in 'a$'"},
		{"${H", "", "no closing brace after the name of a variable in '${H'"},
		{"${H[*]}", "", "'H[*]' is known only within double quotes"},
		{"$.LINE", "", "'.LINE' is known only within double quotes"},
	}
	for _, test := range tests {
		got, err := ExpandAddress(test.text, env)
		if got != test.want || problem(err) != test.problem {
			t.Errorf("%s: got %q, %v", test.text, got, err)
		}
	}
}

// problem is an error's text, or nothing.
func problem(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
