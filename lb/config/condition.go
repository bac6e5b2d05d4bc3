package config

// LanguageVersion is the version of HAProxy's language that sluice speaks: what version_atleast compares with.
const LanguageVersion = "2.6.12"

// Evaluate evaluates the expression of .if, .elif or -cc.
func Evaluate(expr string, env *Env) (bool, error) { return false, nil }
