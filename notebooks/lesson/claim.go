package lesson

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// exit is replaced in tests.
var exit = os.Exit

// fail ends the cell, and with it the execution of the notebook.
func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "✗ "+format+"\n", args...)
	exit(1)
}

func hold(format string, args ...any) { fmt.Printf("✓ "+format+"\n", args...) }

// Must returns v, or ends the cell if there is an error.
func Must[T any](v T, err error) T {
	Check(err)
	return v
}

// Check ends the cell if there is an error.
func Check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

// Equal claims that got is want, exactly.
func Equal[T comparable](what string, got, want T) {
	if got != want {
		fail("%s: got %v, want %v", what, got, want)
		return
	}
	hold("%s: %v", what, got)
}

// True claims that something holds.
func True(what string, got bool) {
	if !got {
		fail("%s: does not hold", what)
		return
	}
	hold("%s", what)
}

// Near claims |got − want| ≤ tolerance.
func Near(what string, got, want, tolerance float64) {
	if !(math.Abs(got-want) <= tolerance) {
		fail("%s: got %.10g, want %.10g ± %s", what, got, want, short(tolerance))
		return
	}
	hold("%s: %s ± %s", what, digits(want, tolerance), short(tolerance))
}

// digits writes x to one decimal more than the tolerance has.
func digits(x, tolerance float64) string {
	decimals := 15
	if tolerance > 0 {
		decimals = min(max(int(math.Ceil(-math.Log10(tolerance)))+1, 0), decimals)
	}
	for decimals > 0 && math.Round(x*math.Pow10(decimals-1)) == x*math.Pow10(decimals-1) {
		decimals--
	}
	return fmt.Sprintf("%.*f", decimals, x)
}

// Close claims that two slices of the same length differ by at most tolerance
// in every element.
func Close(what string, got, want []float64, tolerance float64) {
	if len(got) != len(want) {
		fail("%s: got %d elements, want %d", what, len(got), len(want))
		return
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tolerance) {
			fail("%s: element %d is %.17g, want %.17g ± %s", what, i, got[i], want[i], short(tolerance))
			return
		}
	}
	if tolerance == 0 {
		hold("%s: all %d elements, exactly", what, len(want))
		return
	}
	hold("%s: all %d elements, within %s", what, len(want), short(tolerance))
}

// AtMost claims got ≤ limit, without showing got, which may differ in its last
// digits from machine to machine.
func AtMost(what string, got, limit float64) {
	if !(got <= limit) {
		fail("%s: got %.6g, want at most %.6g", what, got, limit)
		return
	}
	hold("%s: at most %s", what, short(limit))
}

// AtLeast claims got ≥ limit.
func AtLeast(what string, got, limit float64) {
	if !(got >= limit) {
		fail("%s: got %.6g, want at least %.6g", what, got, limit)
		return
	}
	hold("%s: at least %s", what, short(limit))
}

// short writes x with up to six digits, and 1e-09 as 1e-9.
func short(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strings.Replace(strconv.FormatFloat(x, 'g', 6, 64), "e-0", "e-", 1)
}
