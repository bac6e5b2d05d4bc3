package config

// Nearest finds the candidate that a mistyped word was probably meant to be: the first of those that differ from it in
// the fewest letters, at most one in three of the word's, regardless of case. A letter that is added, left out, changed or
// swapped with its neighbour counts one. Empty: none is near.
func Nearest(word string, candidates []string) string {
	const longest = 64 // no keyword is longer, and the cost is quadratic
	if len(word) > longest {
		return ""
	}
	nearest, least := "", min(max(1, len(word)/3), 3)+1
	for _, candidate := range candidates {
		if candidate == "" || len(candidate) > longest || max(len(word)-len(candidate), len(candidate)-len(word)) >= least {
			continue
		}
		// Nothing of a word may be left that is changed all over.
		if d := distance(word, candidate); d < least && d < len(word) {
			nearest, least = candidate, d
		}
	}
	return nearest
}

// didYouMean is the end of a message about an unknown word: empty when nothing is near.
func didYouMean(word string, candidates []string) string {
	near := Nearest(word, candidates)
	if near == "" {
		return ""
	}
	return "; did you mean '" + near + "'?"
}

// distance counts the changes that make b of a, in bytes and regardless of case (optimal string alignment). Both hold at
// most 64 bytes.
func distance(a, b string) int {
	var before, previous, row [65]int
	for j := range len(b) + 1 {
		previous[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			changed := previous[j]
			if lower(a[i]) != lower(b[j]) {
				changed++
			}
			row[j+1] = min(changed, previous[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && lower(a[i]) == lower(b[j-1]) && lower(a[i-1]) == lower(b[j]) {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, previous = previous, row
	}
	return previous[len(b)]
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
