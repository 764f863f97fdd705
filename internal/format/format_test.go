package format

import (
	"math"
	"testing"
)

func TestNumbersAreWrittenForPeople(t *testing.T) {
	one, part := 1.0, 0.98754
	for _, c := range []struct{ got, want string }{
		{Number(0.123456), "0.1235"}, {Number(-2), "−2"}, {Number(0), "0"}, {Number(1.5e-7), "1.5·10⁻⁷"}, {Number(-1e-9), "−10⁻⁹"},
		{Number(1e10), "10¹⁰"}, {Number(math.NaN()), "–"}, {Number(math.Inf(1)), "–"}, {Number(9999.4), "9999"},
		{Number(12345.6), "12\u202f346"}, {Number(-123456), "−123\u202f456"}, {Number(1234567), "1.235·10⁶"},
		{Exact(0.1), "0.1"}, {Exact(1e-5), "10⁻⁵"}, {Exact(0.30000000000000004), "0.30000000000000004"},
		{Known(nil), "–"}, {Known(&part), "0.9875"}, {Score(nil), "–"}, {Score(&one), "1.0000"}, {Score(&part), "0.9875"},
		{Count(0), "0"}, {Count(999), "999"}, {Count(1000), "1\u202f000"}, {Count(1234567), "1\u202f234\u202f567"}, {Count(-1234), "−1\u202f234"}, {Count(-999), "−999"},
		{Microseconds(7.86), "7.86 µs"}, {Microseconds(343), "343 µs"}, {Microseconds(1500), "1.5 ms"}, {Microseconds(2.5e6), "2.5 s"},
		{Seconds(0.0587), "58.7 ms"}, {Seconds(12), "12 s"}, {Seconds(75), "1 min 15 s"}, {Seconds(3725), "1 h 02 min"},
		{Rate(950), "950"}, {Rate(9999), "9\u202f999"}, {Rate(136000), "136k"}, {Rate(6.15e6), "6.15M"}, {Rate(999_600), "1M"}, {Short(4500), "4\u202f500"}, {Short(999.4), "999"},
		{Plural(1, "row"), "1 row"}, {Plural(2, "row"), "2 rows"}, {Plural(0, "row"), "0 rows"},
		{Difference(0), "0"}, {Difference(6e-8), "6·10⁻⁸"}, {Difference(6.26e-8), "6.3·10⁻⁸"},
		{Ratio(4.26), "4.26×"}, {Ratio(math.NaN()), "–"}, {Powers("1e+06"), "10⁶"}, {Powers("-1e+06"), "−10⁶"}, {Powers("-3"), "−3"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// Nothing but all is 100 %, nothing but none is 0 %.
func TestSharesKeepADecimalAndAreNeverRoundedToAll(t *testing.T) {
	for share, want := range map[float64]string{0: "0", 1: "100", 0.9875: "98.8", 0.98: "98.0", 0.99999: "99.9", 1e-9: "0.1", 0.5: "50.0", math.Inf(1): "–"} {
		if got := Percent(share); got != want {
			t.Errorf("%v is written %q, want %q", share, got, want)
		}
	}
	if Percent(math.NaN()) != "–" {
		t.Error("NaN is written as a share")
	}
}
