package lesson

import (
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// outcome runs a claim and returns what it printed and whether it ended the cell.
func outcome(t *testing.T, claim func()) (printed, complaint string, failed bool) {
	t.Helper()
	stdout, stderr := os.Stdout, os.Stderr
	defer func() { os.Stdout, os.Stderr, exit = stdout, stderr, os.Exit }()
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout, os.Stderr = outW, errW
	exit = func(code int) { failed = failed || code != 0 }
	claim()
	outW.Close()
	errW.Close()
	out, err := io.ReadAll(outR)
	if err != nil {
		t.Fatal(err)
	}
	complaints, err := io.ReadAll(errR)
	if err != nil {
		t.Fatal(err)
	}
	return string(out), string(complaints), failed
}

func TestClaimsHoldOrEndTheCell(t *testing.T) {
	for _, c := range []struct {
		claim func()
		holds bool
		want  string
	}{
		{func() { Equal("nodes", 3, 3) }, true, "✓ nodes: 3\n"},
		{func() { Equal("nodes", 3, 4) }, false, "✗ nodes: got 3, want 4\n"},
		{func() { True("finite", true) }, true, "✓ finite\n"},
		{func() { True("finite", false) }, false, "✗ finite: does not hold\n"},
		{func() { Near("slope", 0.26003, 0.26, 5e-5) }, true, "✓ slope: 0.26 ± 5e-5\n"},
		{func() { Near("slope", -2.50881, -2.5088, 5e-5) }, true, "✓ slope: -2.5088 ± 5e-5\n"},
		{func() { Near("log 2", 0.7, math.Ln2, 0.01) }, true, "✓ log 2: 0.693 ± 0.01\n"},
		{func() { Near("slope", 0.2601, 0.26, 5e-5) }, false, "✗ slope: got 0.2601, want 0.26 ± 5e-5\n"},
		{func() { Close("dW", []float64{1, 2}, []float64{1, 2 + 1e-9}, 1e-8) }, true, "✓ dW: all 2 elements, within 1e-8\n"},
		{func() { Close("dW", []float64{1, 2}, []float64{1, 2}, 0) }, true, "✓ dW: all 2 elements, exactly\n"},
		{func() { Close("dW", []float64{1, 2}, []float64{1, 3}, 0.5) }, false, "✗ dW: element 1 is 2, want 3 ± 0.5\n"},
		{func() { Close("dW", []float64{1}, []float64{1, 3}, 0.5) }, false, "✗ dW: got 1 elements, want 2\n"},
		{func() { AtMost("loss", 0.1, 0.2) }, true, "✓ loss: at most 0.2\n"},
		{func() { AtMost("loss", 0.3, 0.2) }, false, "✗ loss: got 0.3, want at most 0.2\n"},
		{func() { AtLeast("accuracy", 0.99, 0.97) }, true, "✓ accuracy: at least 0.97\n"},
		{func() { AtLeast("bytes", 3e6, 2e6) }, true, "✓ bytes: at least 2000000\n"},
		{func() { AtLeast("accuracy", 0.9, 0.97) }, false, "✗ accuracy: got 0.9, want at least 0.97\n"},
		{func() { Check(nil) }, true, ""},
		{func() { Check(io.EOF) }, false, "✗ EOF\n"},
	} {
		printed, complaint, failed := outcome(t, c.claim)
		if failed == c.holds || printed+complaint != c.want {
			t.Errorf("printed %q, complained %q, failed %t; want %q, failed %t", printed, complaint, failed, c.want, !c.holds)
		}
	}
}

func TestNotANumberHoldsNoClaim(t *testing.T) {
	nan := 0.0
	nan /= nan
	for name, claim := range map[string]func(){
		"Near": func() { Near("x", nan, 0, 1) }, "Close": func() { Close("x", []float64{nan}, []float64{0}, 1) },
		"AtMost": func() { AtMost("x", nan, 1) }, "AtLeast": func() { AtLeast("x", nan, 1) },
	} {
		if _, _, failed := outcome(t, claim); !failed {
			t.Errorf("%s holds for NaN", name)
		}
	}
}

func TestFloatsFollowTheIndices(t *testing.T) {
	m := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6}))
	if err := m.T(); err != nil {
		t.Fatal(err)
	}
	column, err := m.Slice(nil, gorgonia.S(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		v    gorgonia.Value
		want []float64
	}{
		{gorgonia.NewF64(7), []float64{7}},
		{gorgonia.NewF32(8), []float64{8}},
		{m, []float64{1, 4, 2, 5, 3, 6}},
		{column, []float64{4, 5, 6}},
	} {
		got := Floats(c.v)
		if len(got) != len(c.want) {
			t.Errorf("%v: got %v, want %v", c.v, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%v: got %v, want %v", c.v, got, c.want)
			}
		}
	}
	if _, complaint, failed := outcome(t, func() { Floats(tensor.New(tensor.WithBacking([]int{1}))) }); !failed || !strings.Contains(complaint, "holds int") {
		t.Errorf("whole numbers: complained %q, failed %t", complaint, failed)
	}
}
