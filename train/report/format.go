package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// number writes four digits of x.
func number(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "–"
	}
	return powers(strconv.FormatFloat(x, 'g', 4, 64))
}

// exact writes as many digits of x as it takes to tell it from all others.
func exact(x float64) string { return powers(strconv.FormatFloat(x, 'g', -1, 64)) }

// powers writes 1.5e-07 as 1.5·10⁻⁷ and 1e+06 as 10⁶.
func powers(s string) string {
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

// known writes a number that may be missing.
func known(x *float64) string {
	if x == nil {
		return "–"
	}
	return number(*x)
}

// score writes an accuracy or an R² with four decimals.
func score(x *float64) string {
	if x == nil {
		return "–"
	}
	return minus(fmt.Sprintf("%.4f", *x))
}

// count writes a whole number in groups of three digits.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:] // narrow no-break space
	}
	return s
}

// microseconds writes a duration in a unit that suits it.
func microseconds(us float64) string {
	switch {
	case us >= 1e6:
		return seconds(us / 1e6)
	case us >= 1e3:
		return number3(us/1e3) + " ms"
	}
	return number3(us) + " µs"
}

// seconds writes a duration.
func seconds(s float64) string {
	switch {
	case s >= 3600:
		return fmt.Sprintf("%d h %02d min", int(s)/3600, int(s)/60%60)
	case s >= 60:
		return fmt.Sprintf("%d min %02d s", int(s)/60, int(s)%60)
	case s >= 1:
		return number3(s) + " s"
	}
	return number3(1000*s) + " ms"
}

// number3 writes three digits of x, or all that stand before the point.
func number3(x float64) string {
	if x >= 100 {
		return count(int(math.Round(x)))
	}
	return powers(strconv.FormatFloat(x, 'g', 3, 64))
}

// pace writes a number of things in a second.
func pace(perSecond float64) string {
	switch {
	case perSecond >= 1e6:
		return number3(perSecond/1e6) + " million"
	case perSecond >= 1e4:
		return number3(perSecond/1e3) + " thousand"
	}
	return number3(perSecond)
}

// plural writes n things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return count(n) + " " + thing + "s"
}
