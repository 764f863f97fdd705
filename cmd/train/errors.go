package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// usageError is wrong use of the command line: exit code 2.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// unknown says that there is no such thing as name and what was likely meant.
func unknown(what, name string, valid []string) error {
	return usagef("unknown %s %q, did you mean %s?", what, name, strings.Join(nearest(name, valid), " or "))
}

// oneOf refuses a value that is not one of the valid names.
func oneOf(flag, value string, valid []string) error {
	if slices.Contains(valid, value) {
		return nil
	}
	return usagef("%s %q: want one of %s; did you mean %s?", flag, value, strings.Join(valid, ", "), nearest(value, valid)[0])
}

// nearest returns the two valid names that take the fewest edits to reach. A
// name that is a longer or shorter form of a valid one counts as near.
func nearest(name string, valid []string) []string {
	distance := func(v string) int {
		n := min(len(name), len(v))
		return min(levenshtein.ComputeDistance(name, v), levenshtein.ComputeDistance(name[:n], v[:n])+1)
	}
	name = strings.ToLower(name)
	sorted := slices.Clone(valid)
	slices.SortStableFunc(sorted, func(a, b string) int { return cmp.Compare(distance(a), distance(b)) })
	return sorted[:min(2, len(sorted))]
}
