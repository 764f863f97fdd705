package csvscan

import (
	"math"
	"math/bits"
	"strconv"
)

// pow10 are the powers of ten that fit 64 bits.
var pow10 = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = 10 * p[i-1]
	}
	return p
}()

// number reads the decimal number that starts at b[i] and returns the float64
// nearest to it and the place after it. There must be a byte after every number
// that is none of a number's, such as the end of the line. ok is false for what
// is not a finite decimal number.
func number(b []byte, i int, decimalPoint byte) (v float64, next int, ok bool) {
	from := i
	negative := b[i] == '-'
	if negative || b[i] == '+' {
		i++
	}
	var mantissa uint64
	first := i
	for ; b[i]-'0' <= 9; i++ {
		mantissa = 10*mantissa + uint64(b[i]-'0')
	}
	digits, exponent := i-first, 0
	if b[i] == decimalPoint {
		i++
		first = i
		for ; b[i]-'0' <= 9; i++ {
			mantissa = 10*mantissa + uint64(b[i]-'0')
		}
		exponent = first - i
		digits += i - first
	}
	if digits == 0 {
		return 0, from, false
	}
	if b[i]|0x20 == 'e' {
		i++
		down := b[i] == '-'
		if down || b[i] == '+' {
			i++
		}
		first = i
		written := 0
		for ; b[i]-'0' <= 9; i++ {
			written = min(10*written+int(b[i]-'0'), 1<<20)
		}
		if i == first {
			return 0, from, false
		}
		if down {
			written = -written
		}
		exponent += written
	}
	if digits <= 19 { // 10¹⁹ − 1 fits the mantissa
		if v, ok = decimal(mantissa, exponent); ok {
			if negative {
				v = -v
			}
			return v, i, true
		}
	}
	v, ok = parse(b[from:i], decimalPoint)
	return v, i, ok
}

// decimal returns the float64 nearest to mantissa·10^exponent, ties to even, if
// one division of 128 by 64 bits or less tells it.
func decimal(mantissa uint64, exponent int) (float64, bool) {
	switch {
	case mantissa == 0 || exponent == 0:
		return float64(mantissa), true
	case exponent > 0:
		if exponent >= len(pow10) {
			return 0, false
		}
		high, low := bits.Mul64(mantissa, pow10[exponent])
		return float64(low), high == 0
	case -exponent >= len(pow10):
		return 0, false
	}
	divisor := pow10[-exponent]
	if mantissa < 1<<53 && divisor < 1<<53 {
		return float64(mantissa) / float64(divisor), true // of two exact numbers, rounded once
	}
	// With both shifted to 64 bits the quotient has 63 or 64. What is left over
	// only has to keep a tie from looking like one: it goes into the last bit,
	// ten below those that a float64 keeps.
	up, down := bits.LeadingZeros64(mantissa), bits.LeadingZeros64(divisor)
	m := mantissa << up
	quotient, rest := bits.Div64(m>>1, m<<63, divisor<<down)
	if rest != 0 {
		quotient |= 1
	}
	power := down - up - 63 // of two; the result is above 10⁻¹⁹, far from subnormal
	return float64(quotient) * math.Float64frombits(uint64(1023+power)<<52), true
}

// parse is number for what takes more bits.
func parse(text []byte, decimalPoint byte) (float64, bool) {
	if decimalPoint != '.' {
		dotted := make([]byte, len(text))
		for i, c := range text {
			switch c {
			case decimalPoint:
				c = '.'
			case '.':
				return 0, false
			}
			dotted[i] = c
		}
		text = dotted
	}
	v, err := strconv.ParseFloat(string(text), 64)
	return v, err == nil
}

// ParseNumber reads a cell that holds one finite decimal number and nothing
// else.
func ParseNumber(cell []byte, decimalPoint byte) (float64, bool) {
	if len(cell) == 0 {
		return 0, false
	}
	var short [64]byte
	text := append(append(short[:0], cell...), '\n')
	v, next, ok := number(text, 0, decimalPoint)
	return v, ok && next == len(cell)
}

// Missing reports whether a cell says that its value is not known: empty, ?, NA,
// N/A, NaN or null, in either case of letters.
func Missing(cell []byte) bool {
	switch len(cell) {
	case 0:
		return true
	case 1:
		return cell[0] == '?'
	case 2, 3, 4:
		var word [4]byte
		for i, c := range cell {
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			word[i] = c
		}
		switch string(word[:len(cell)]) {
		case "na", "n/a", "nan", "null":
			return true
		}
	}
	return false
}
