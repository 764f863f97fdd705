// Package format writes numbers for people: pages, charts and the command's
// tables all write them as these functions do.
package format

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// None stands for a number that is missing or not finite.
const None = "–"

// Number writes four digits of x, or all that stand before the point. The
// script of the pages has the same.
func Number(x float64) string { return short(x, 4, 9999.5) }

// Short writes three digits of x, or all that stand before the point.
func Short(x float64) string { return short(x, 3, 999.5) }

// short writes n digits of x; from whole up to a million, a whole number.
func short(x float64, n int, whole float64) string {
	if size := math.Abs(x); size >= whole && size < 999_999.5 {
		return Count(int(math.Round(x)))
	}
	return digits(x, n)
}

// Difference writes two digits of a number whose size alone matters.
func Difference(x float64) string { return digits(x, 2) }

// Exact writes as many digits of x as it takes to tell it from all others.
func Exact(x float64) string { return digits(x, -1) }

func digits(x float64, n int) string {
	if !finite(x) {
		return None
	}
	return Powers(strconv.FormatFloat(x, 'g', n, 64))
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// Powers writes 1.5e-07, as strconv does, as 1.5·10⁻⁷, 1e+06 as 10⁶, and each
// minus sign as one.
func Powers(s string) string {
	mantissa, exponent, ok := strings.Cut(s, "e")
	if !ok {
		return minus(s)
	}
	n, err := strconv.Atoi(exponent)
	if err != nil {
		return minus(s)
	}
	power := "10" + strings.Map(func(r rune) rune { return superscripts[r] }, strconv.Itoa(n))
	switch mantissa {
	case "1":
		return power
	case "-1":
		return "−" + power
	}
	return minus(mantissa) + "·" + power
}

var superscripts = map[rune]rune{'-': '⁻', '0': '⁰', '1': '¹', '2': '²', '3': '³', '4': '⁴', '5': '⁵', '6': '⁶', '7': '⁷', '8': '⁸', '9': '⁹'}

func minus(s string) string { return strings.ReplaceAll(s, "-", "−") }

// Known writes a number that may be missing.
func Known(x *float64) string {
	if x == nil {
		return None
	}
	return Number(*x)
}

// Score writes an accuracy or an R², which may be missing, with four decimals.
func Score(x *float64) string {
	if x == nil || !finite(*x) {
		return None
	}
	return minus(strconv.FormatFloat(*x, 'f', 4, 64))
}

// Percent writes a share in per cent with one decimal; 100 and 0 stand for all
// and none alone.
func Percent(share float64) string {
	switch {
	case !finite(share):
		return None
	case share == 0 || share == 1:
		return strconv.Itoa(int(100 * share))
	}
	return strconv.FormatFloat(min(max(100*share, 0.1), 99.9), 'f', 1, 64)
}

// Count writes a whole number in groups of three digits.
func Count(n int) string {
	s, sign := strconv.Itoa(n), ""
	if n < 0 {
		s, sign = s[1:], "−"
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:] // narrow no-break space
	}
	return sign + s
}

// Plural writes n things.
func Plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return Count(n) + " " + thing + "s"
}

// Microseconds writes a duration in a unit that suits it.
func Microseconds(us float64) string {
	switch {
	case us >= 1e6:
		return Seconds(us / 1e6)
	case us >= 1e3:
		return Short(us/1e3) + " ms"
	}
	return Short(us) + " µs"
}

// Seconds writes a duration in units that suit it.
func Seconds(s float64) string {
	switch {
	case s >= 3600:
		return fmt.Sprintf("%d h %02d min", int(s)/3600, int(s)/60%60)
	case s >= 60:
		return fmt.Sprintf("%d min %02d s", int(s)/60, int(s)%60)
	case s >= 1:
		return Short(s) + " s"
	}
	return Short(1000*s) + " ms"
}

// Rate writes a number of things in a second in thousands (k) or millions (M)
// if there are many.
func Rate(perSecond float64) string {
	switch {
	case perSecond >= 999_500:
		return Short(perSecond/1e6) + "M"
	case perSecond >= 9_999.5:
		return Short(perSecond/1e3) + "k"
	}
	return Short(perSecond)
}

// Ratio writes how many times one thing is the other.
func Ratio(x float64) string {
	if !finite(x) {
		return None
	}
	return Short(x) + "×"
}
