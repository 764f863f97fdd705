package report

import (
	"math"
	"testing"
)

func TestNumbersAreWrittenForPeople(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{number(0.123456), "0.1235"}, {number(-2), "−2"}, {number(0), "0"}, {number(1.5e-7), "1.5·10⁻⁷"}, {number(-1e-9), "−10⁻⁹"},
		{number(1e10), "10¹⁰"}, {number(math.NaN()), "–"}, {number(math.Inf(1)), "–"},
		{exact(0.1), "0.1"}, {exact(1e-5), "10⁻⁵"}, {exact(0.30000000000000004), "0.30000000000000004"},
		{known(nil), "–"}, {score(nil), "–"},
		{count(0), "0"}, {count(999), "999"}, {count(1000), "1\u202f000"}, {count(1234567), "1\u202f234\u202f567"},
		{microseconds(7.86), "7.86 µs"}, {microseconds(343), "343 µs"}, {microseconds(1500), "1.5 ms"}, {microseconds(2.5e6), "2.5 s"},
		{seconds(0.0587), "58.7 ms"}, {seconds(12), "12 s"}, {seconds(75), "1 min 15 s"}, {seconds(3725), "1 h 02 min"},
		{pace(950), "950"}, {pace(136000), "136 thousand"}, {pace(6.15e6), "6.15 million"}, {number3(4500), "4\u202f500"},
		{plural(1, "row"), "1 row"}, {plural(2, "row"), "2 rows"}, {plural(0, "row"), "0 rows"},
		{decade(0.001), "0.001"}, {decade(0.0001), "10⁻⁴"}, {decade(5e-5), "5·10⁻⁵"}, {decade(1e5), "100000"}, {decade(1e6), "10⁶"}, {decade(0.2), "0.2"},
		{difference(0), "0"}, {difference(6e-8), "6.0·10⁻⁸"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
