package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/affine-go/affine/internal/timing"
)

// smallCases have the shapes of benchCases in small.
var smallCases = []benchCase{
	{"linear", 3, []int{2, 5}},
	{"linear", 64, []int{64, 64}},
	{"mlp-step", 8, []int{2, 16, 16, 2}},
	{"mlp-step", 16, []int{20, 12, 7, 10}},
}

func TestPeersOfThisProcessComputeTheSame(t *testing.T) {
	for _, c := range smallCases {
		t.Run(c.String(), func(t *testing.T) {
			var want []float64
			for _, p := range peersFor(c, nil) {
				checks, err := p.Prepare(c)
				if err != nil {
					t.Fatalf("%s: %v", p.Group(), err)
				}
				if want == nil {
					want = checks
				}
				if err := agree(checks, want); err != nil {
					t.Errorf("%s, %s: %v", p.Group(), p.Variant(), err)
				}
				if err := p.Finish(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestEachTimingOfAStepStartsFromTheSameWeights(t *testing.T) {
	for _, p := range peersFor(smallCases[2], nil) {
		first, err := p.Prepare(smallCases[2])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Time(10); err != nil {
			t.Fatal(err)
		}
		again, err := p.(*inProcess).job.checks()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(first, again) {
			t.Errorf("%s: losses %v, after a timing %v", p.Group(), first, again)
		}
	}
}

// The same numbers come from values in pytorch.py.
func TestValuesAreTheOnesThatPythonDraws(t *testing.T) {
	for _, tc := range []struct{ got, want []float32 }{
		{values(1, 4, 1), []float32{0.4813137948513031, -0.426188200712204, 0.39738112688064575, 0.8350543975830078}},
		{values(10, 3, 2), []float32{-1.3920180797576904, 1.8505605459213257, -1.9796195030212402}},
	} {
		if !slices.Equal(tc.got, tc.want) {
			t.Errorf("got %v, want %v", tc.got, tc.want)
		}
	}
}

func TestLabelsAreOneHot(t *testing.T) {
	targets := oneHot(50, 3)
	perClass := make([]float32, 3)
	for i := range 50 {
		row := targets[3*i : 3*i+3]
		for j, v := range row {
			perClass[j] += v
		}
		if slices.Max(row) != 1 || row[0]+row[1]+row[2] != 1 {
			t.Fatalf("row %d is %v", i, row)
		}
	}
	if slices.Min(perClass) == 0 {
		t.Errorf("rows of each class: %v, want some of all", perClass)
	}
}

// clock is a peer whose runs take as long as it says.
type clock struct {
	group  string
	perRun []time.Duration // by call of Time, the last one from then on
	checks []float64
	calls  *[]string
	n      int
}

func (p *clock) Group() string                        { return p.group }
func (p *clock) Variant() string                      { return "" }
func (p *clock) Prepare(benchCase) ([]float64, error) { return p.checks, nil }
func (p *clock) Finish() error                        { return nil }
func (p *clock) Time(runs int) (time.Duration, error) {
	*p.calls = append(*p.calls, p.group)
	d := p.perRun[min(p.n, len(p.perRun)-1)]
	p.n++
	return time.Duration(runs) * d, nil
}

func TestMeasureTakesTurnsAndReportsMedians(t *testing.T) {
	var calls []string
	ms := time.Millisecond
	peers := []peer{
		// The first call calibrates; of the samples 2, 9 and 4 ms the median is 4.
		&clock{group: "a", perRun: []time.Duration{2 * ms, 2 * ms, 9 * ms, 4 * ms}, calls: &calls},
		&clock{group: "b", perRun: []time.Duration{5 * ms}, calls: &calls},
	}
	results, err := measure(benchCases[0], peers, timing.Options{Samples: 3, Sample: ms})
	if err != nil {
		t.Fatal(err)
	}
	if results[0].NsPerOp != 4e6 || results[1].NsPerOp != 5e6 {
		t.Errorf("medians are %v and %v ns, want 4e6 and 5e6", results[0].NsPerOp, results[1].NsPerOp)
	}
	if got := strings.Join(calls, ""); got != "ab"+"ab"+"ba"+"ab" {
		t.Errorf("order was %s", got)
	}
}

func TestMeasureRefusesPeersThatComputeSomethingElse(t *testing.T) {
	var calls []string
	peers := []peer{
		&clock{group: "a", perRun: []time.Duration{time.Second}, checks: []float64{1, 2}, calls: &calls},
		&clock{group: "b", perRun: []time.Duration{time.Second}, checks: []float64{1, 2.1}, calls: &calls},
	}
	_, err := measure(benchCases[0], peers, timing.Options{Samples: 1, Sample: time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "b, : does not compute what a does: check 1 is 2.1, want 2") {
		t.Errorf("error is %v", err)
	}
}

func TestTable(t *testing.T) {
	c := newCaseReport(benchCases[3], []result{
		{Group: groupAffine, NsPerOp: 8e6, GFLOPS: 201.3},
		{Group: groupGonum, NsPerOp: 1.02e9, GFLOPS: 1.6},
		{Group: groupOpenBLAS, Variant: "1 thread", NsPerOp: 20e6, GFLOPS: 80},
		{Group: groupOpenBLAS, Variant: "2 threads", NsPerOp: 12e6, GFLOPS: 134.2},
	})
	r := report{CPU: "Some CPU", Threads: 2, Versions: map[string]string{"Go": "1.26"}, Rounds: 9, SampleSec: 0.2, Cases: []caseReport{c}}
	var text, markdown strings.Builder
	if err := errors.Join(r.text(&text), r.markdown(&markdown)); err != nil {
		t.Fatal(err)
	}
	want := "| linear 256×1024×1024 | 8,000 (201 GFLOP/s) | 1,020,000 (1.60 GFLOP/s) | 127.50 | 12,000 (134 GFLOP/s, 2 threads) | 1.50 | – | – | – | – |\n"
	if !strings.Contains(markdown.String(), want) {
		t.Errorf("got\n%swant the row\n%s", markdown.String(), want)
	}
	for _, part := range []string{"Some CPU, 2 threads; Go 1.26\n", "linear 256×1024×1024", "127.50", "Medians of 9 samples of at least 0.2 s"} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("no %q in\n%s", part, text.String())
		}
	}
}

func TestBLASLibrariesAgree(t *testing.T) {
	for _, c := range benchCases {
		if !c.isGemm() || c.Batch > 256 {
			continue
		}
		var want []float64
		for _, p := range multipliers() {
			got, err := p.Prepare(c)
			if err == nil && want != nil {
				err = agree(got, want)
			}
			if err != nil {
				t.Errorf("%v: %s %s: %v", c, p.Group(), p.Variant(), err)
			}
			want = got
			if err := p.Finish(); err != nil {
				t.Error(err)
			}
		}
	}
}
