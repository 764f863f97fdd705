package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// report is what a run has found.
type report struct {
	CPU       string            `json:"cpu"`
	Threads   int               `json:"threads"` // GOMAXPROCS
	Versions  map[string]string `json:"versions"`
	Rounds    int               `json:"rounds"`
	SampleSec float64           `json:"sample_s"`
	Cases     []caseReport      `json:"cases"`
}

// caseReport is one row of the table.
type caseReport struct {
	benchCase
	Dtype string `json:"dtype"`
	// Ratios tell how many times as long as affine the fastest variant of each
	// other peer took.
	Ratios  map[string]float64 `json:"ratios"`
	Results []result           `json:"results"`
}

func newCaseReport(c benchCase, results []result) caseReport {
	r := caseReport{benchCase: c, Dtype: "float32", Ratios: map[string]float64{}, Results: results}
	if c.Op == "dgemm" {
		r.Dtype = "float64"
	}
	ours := r.fastest(groupAffine).NsPerOp
	for _, group := range otherGroups {
		if best := r.fastest(group); best != nil {
			r.Ratios[group] = best.NsPerOp / ours
		}
	}
	return r
}

// fastest returns the result of the group's fastest variant, nil if it has none.
func (r *caseReport) fastest(group string) *result {
	var best *result
	for i := range r.Results {
		if r.Results[i].Group == group && (best == nil || r.Results[i].NsPerOp < best.NsPerOp) {
			best = &r.Results[i]
		}
	}
	return best
}

// rows returns the table, its heading first.
func (r *report) rows() [][]string {
	rows := [][]string{{"case, float32", groupAffine + " µs"}}
	for _, group := range otherGroups {
		rows[0] = append(rows[0], group+" µs", "ratio")
	}
	for _, c := range r.Cases {
		row := []string{c.benchCase.String(), cell(c.fastest(groupAffine), false)}
		for _, group := range otherGroups {
			ratio := "–"
			if v, ok := c.Ratios[group]; ok {
				ratio = fmt.Sprintf("%.2f", v)
			}
			row = append(row, cell(c.fastest(group), true), ratio)
		}
		rows = append(rows, row)
	}
	return rows
}

// cell writes a median in µs, the rate if one is known, and the variant.
func cell(r *result, variant bool) string {
	if r == nil {
		return "–"
	}
	text := thousands(r.NsPerOp / 1e3)
	var notes []string
	if r.GFLOPS > 0 {
		notes = append(notes, thousands(r.GFLOPS)+" GFLOP/s")
	}
	if variant && r.Variant != "" {
		notes = append(notes, r.Variant)
	}
	if len(notes) > 0 {
		text += " (" + strings.Join(notes, ", ") + ")"
	}
	return text
}

// thousands writes a number with commas, and with decimals if it is small.
func thousands(x float64) string {
	decimals := 0
	for limit := 100.0; x < limit && decimals < 2; limit /= 10 {
		decimals++
	}
	text := strconv.FormatFloat(x, 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return whole
}

// heading says on what and with what the figures were made.
func (r *report) heading() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s", r.CPU, threads(r.Threads))
	for _, name := range versionOrder {
		if v := r.Versions[name]; v != "" {
			fmt.Fprintf(&b, "; %s %s", name, v)
		}
	}
	return b.String()
}

const explanation = "Medians of %d samples of at least %v s, peers in turn. Ratio: the peer's time over affine's; the fastest variant of each peer counts."

func (r *report) text(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.heading())
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range r.rows() {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n"+explanation+"\n", r.Rounds, r.SampleSec)
	return err
}

func (r *report) markdown(w io.Writer) error {
	for i, row := range r.rows() {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(w, "|---|%s\n", strings.Repeat("---:|", len(row)-1))
		}
	}
	_, err := fmt.Fprintf(w, "\n%s. "+explanation+"\n", r.heading(), r.Rounds, r.SampleSec)
	return err
}
