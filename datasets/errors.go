package datasets

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// ErrUsage is matched, with errors.Is, by every error that means wrong use
// rather than bad data: an unknown name, or an option that cannot be.
var ErrUsage = errors.New("wrong use")

// usageError is an error that matches ErrUsage without saying so in its text.
type usageError struct{ text string }

func (e *usageError) Error() string        { return e.text }
func (e *usageError) Is(target error) bool { return target == ErrUsage }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// UnknownNameError says that no dataset has the name that was asked for. It
// matches [ErrUsage].
type UnknownNameError struct {
	Name    string   // what was asked for
	Nearest []string // what may have been meant, the likeliest first
}

func (e *UnknownNameError) Error() string {
	return fmt.Sprintf("no dataset %q: did you mean %s?", e.Name, quoteList(e.Nearest, "or"))
}

// Is reports whether target is [ErrUsage].
func (e *UnknownNameError) Is(target error) bool { return target == ErrUsage }

// maxNearest is how many names an UnknownNameError offers.
const maxNearest = 3

// unknownName says that name is not one of known.
func unknownName(name string, known []string) error {
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".csv", ".npz":
		return &UnknownNameError{Name: name, Nearest: []string{ext[1:] + ":" + name}}
	}
	return &UnknownNameError{Name: name, Nearest: nearest(name, known)}
}

// nearest returns the names that take the fewest edits to reach from name.
func nearest(name string, names []string) []string {
	distance := func(n string) int { return levenshtein.ComputeDistance(strings.ToLower(name), n) }
	sorted := slices.Clone(names)
	slices.SortStableFunc(sorted, func(a, b string) int { return cmp.Compare(distance(a), distance(b)) })
	return sorted[:min(maxNearest, len(sorted))]
}

// maxQuoted is how many items quoteList writes out before it counts the rest.
const maxQuoted = 10

// quoteList writes "a", "b" or "c".
func quoteList(items []string, conjunction string) string {
	var s strings.Builder
	for i, item := range items {
		switch {
		case i == maxQuoted:
			fmt.Fprintf(&s, " %s %d more", conjunction, len(items)-i)
			return s.String()
		case i == 0:
		case i == len(items)-1:
			fmt.Fprintf(&s, " %s ", conjunction)
		default:
			s.WriteString(", ")
		}
		s.WriteString(quote(item))
	}
	return s.String()
}

// maxQuotedRunes is how much of a text from a file quote writes out.
const maxQuotedRunes = 80

// quote writes a text from a file between quotation marks. What should be one
// cell may be a whole file, of which an error shows the beginning.
func quote(text string) string {
	runes := 0
	for i := range text {
		if runes == maxQuotedRunes {
			return fmt.Sprintf("%q… (%d bytes)", text[:i], len(text))
		}
		runes++
	}
	return strconv.Quote(text)
}
