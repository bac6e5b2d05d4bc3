package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// LanguageVersion is the version of HAProxy whose configuration language sluice speaks. It is what version_atleast and
// version_before compare with; sluice's own version has nothing to do with it.
const LanguageVersion = "2.6.12"

// languageVersion is LanguageVersion taken apart.
var languageVersion = [4]int{2, 6, 12, 0}

// compareLanguage orders LanguageVersion relative to a version as "haproxy -v" shows it: negative when it is older.
func compareLanguage(text string) (int, error) {
	other, err := parseVersion(text)
	return slices.Compare(languageVersion[:], other[:]), err
}

// parseVersion takes "MAJOR[.MINOR[.PATCH]][-devN][-...-COMMITS]" apart; what is missing is zero, and other text behind it
// does not count. A development version comes before the release of the same name.
func parseVersion(text string) ([4]int, error) {
	var parts [4]int
	rest := strings.TrimSpace(text)
	if rest == "" || !isDigit(rest[0]) {
		return parts, fmt.Errorf("'%s' is not a version; one looks like %s", text, LanguageVersion)
	}
	for i := 0; i < 3; i++ {
		parts[i], rest = leadingInt(rest)
		if len(rest) < 2 || rest[0] != '.' || !isDigit(rest[1]) || i == 2 {
			break
		}
		rest = rest[1:]
	}
	if development, found := strings.CutPrefix(rest, "-dev"); found {
		var number int
		number, rest = leadingInt(development)
		parts[2] = number - math.MaxInt32
	}
	if at := strings.LastIndexAny(rest, "-."); at >= 0 {
		if commits, err := strconv.ParseUint(rest[at+1:], 10, 31); err == nil {
			parts[3] = int(commits)
		}
	}
	return parts, nil
}

// leadingInt reads the digits that a text starts with, at most 2^31-1 - 1.
func leadingInt(text string) (int, string) {
	value, end := 0, 0
	for end < len(text) && isDigit(text[end]) {
		value = min(value*10+int(text[end]-'0'), math.MaxInt32-1)
		end++
	}
	return value, text[end:]
}
