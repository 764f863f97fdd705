package chart

import (
	"image/color"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestAxesHoldAllValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Axis{Log: rapid.Bool().Draw(t, "log"), Tight: rapid.Bool().Draw(t, "tight"), Whole: rapid.Bool().Draw(t, "whole")}
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 0, 20).Draw(t, "values")
		a.settle(values)
		if !(a.Lo < a.Hi) {
			t.Fatalf("axis goes from %v to %v", a.Lo, a.Hi)
		}
		for _, v := range values {
			if a.Log && v <= 0 {
				continue
			}
			if at := a.At(v); !(at >= -1e-6 && at <= 1+1e-6) {
				t.Fatalf("%v stands at %v, want it in [0, 1]", v, at)
			}
		}
		for _, tick := range a.Ticks(6) {
			if at := a.At(tick.Value); at < -1e-4 || at > 1+1e-4 {
				t.Fatalf("tick %q stands at %v", tick.Label, at)
			}
		}
	})
}

func TestAnAxisIsLogarithmicOnlyWhereThatCanBe(t *testing.T) {
	for _, c := range []struct {
		values []float64
		log    bool
	}{{[]float64{1, 2}, true}, {[]float64{0, 2}, true}, {[]float64{0, 0}, false}, {[]float64{-1}, false}, {nil, false}} {
		a := Axis{Log: true}
		a.settle(c.values)
		if a.Log != c.log {
			t.Errorf("%v: logarithmic is %t, want %t", c.values, a.Log, c.log)
		}
	}
}

func TestThinningKeepsBothEndsAndTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, most := rapid.IntRange(1, 10000).Draw(t, "n"), rapid.IntRange(2, 2000).Draw(t, "most")
		some := Evenly(n, most)
		if len(some) != min(n, most) || some[0] != 0 || some[len(some)-1] != n-1 {
			t.Fatalf("of %d at most %d: %d are left, from %d to %d", n, most, len(some), some[0], some[len(some)-1])
		}
		for i := range some[1:] {
			if some[i] >= some[i+1] {
				t.Fatalf("%d comes before %d", some[i], some[i+1])
			}
		}
	})
}

func TestDecadesAreWrittenShort(t *testing.T) {
	for v, want := range map[float64]string{0.001: "0.001", 0.0001: "10⁻⁴", 5e-5: "5·10⁻⁵", 1e5: "100\u202f000", 1e6: "10⁶", 0.2: "0.2", 500: "500"} {
		if got := decade(v); got != want {
			t.Errorf("%v is written %q, want %q", v, got, want)
		}
	}
}

// Labels of a logarithmic axis never run into each other: there are at most as
// many as there is room for, unless there is no power of ten among them.
func TestLogarithmicTicksAreFewEnough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo := rapid.Float64Range(-9, 9).Draw(t, "lo")
		hi := lo + rapid.Float64Range(1, 12).Draw(t, "width")
		most := rapid.IntRange(3, 12).Draw(t, "most")
		labels := 0
		for _, tick := range logTicks(lo, hi, most) {
			if tick.Label != "" {
				labels++
			}
		}
		if labels < 1 || labels > most+1 {
			t.Fatalf("%d labels over %v decades, want 1 to %d", labels, hi-lo, most)
		}
	})
}

func TestAUnitIsAsLongOnBothAxes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Float64Range(0.1, 10)
		x, y := Axis{Lo: -1, Hi: size.Draw(t, "x")}, Axis{Lo: 2, Hi: 2 + size.Draw(t, "y")}
		wide, high := x, y
		sameUnit(&x, &y)
		if x.Lo > wide.Lo || x.Hi < wide.Hi || y.Lo > high.Lo || y.Hi < high.Hi {
			t.Fatalf("%v × %v became %v × %v, want no less", wide, high, x, y)
		}
		ratio := (wide.Hi - wide.Lo) / (high.Hi - high.Lo) / Aspect
		if got := (x.Hi - x.Lo) / (y.Hi - y.Lo); ratio < 3 && ratio > 1.0/3 && math.Abs(got-Aspect) > 1e-9*Aspect {
			t.Fatalf("%v × %v: ratio %v, want %v", x, y, got, Aspect)
		} else if (ratio > 3 || ratio < 1.0/3) && (x != wide || y != high) {
			t.Fatalf("ranges that differ much, %v × %v, became %v × %v", wide, high, x, y)
		}
	})
}

func TestRegionsAreStrongerWhereTheModelIsSurer(t *testing.T) {
	shades, edge := regionPalette()
	if len(shades) > 256 || int(edge) != len(shades)-1 {
		t.Fatalf("%d shades with the edge at %d, want at most 256 and the edge last", len(shades), edge)
	}
	for classes := 1; classes <= 10; classes++ {
		last := -1
		for _, p := range []float64{1 / float64(classes), 0.5 + 0.5/float64(classes), 1} {
			i := regionShade(classes-1, p, classes)
			if int(i) >= int(edge) {
				t.Fatalf("shade %d of %d", i, len(shades))
			}
			c := shades[i].(color.NRGBA)
			want := classColor(classes - 1)
			want.A = c.A
			if c != want || classes > 1 && int(c.A) <= last {
				t.Errorf("of %d classes, the last with probability %v has the shade %v after the strength %d", classes, p, c, last)
			}
			last = int(c.A)
		}
	}
}
