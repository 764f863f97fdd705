package chart

import (
	"fmt"
	"math"
)

// Series is a named sequence of numbers with the place of each on the x axis.
type Series struct {
	Name string
	X, Y []float64
	Wide bool // a broad, pale line below the others, for one that another covers
}

// Lines shows one or more series, each with a colour and dashes of its own.
// Values that are not finite leave a gap.
type Lines struct {
	Title, Subtitle string
	XLabel, YLabel  string
	// LogY asks for a logarithmic y axis, which has no place for values that
	// are not above 0. If there are no others the axis stays linear.
	LogY   bool
	Series []Series
}

// XY returns the lines; series of different lengths are an error.
func (l Lines) XY() (XY, error) {
	c := XY{Title: l.Title, Subtitle: l.Subtitle, X: Axis{Label: l.XLabel, Tight: true}, Y: Axis{Label: l.YLabel, Log: l.LogY}}
	for i, s := range l.Series {
		if len(s.X) != len(s.Y) {
			return XY{}, fmt.Errorf("%s: %d x and %d y, want the same number of both", s.Name, len(s.X), len(s.Y))
		}
		c.Lines = append(c.Lines, Line{Name: s.Name, X: s.X, Y: s.Y, Color: i, Wide: s.Wide})
	}
	return c, nil
}

func (l Lines) figure() (figure, error) { return plotted(l) }

// Curves shows a measure over the epochs: a loss, an accuracy. The axis is
// logarithmic if Log asks for it and the values span more than a factor of ten.
// Values that are not finite leave a gap.
type Curves struct {
	Title, Subtitle string
	Measure         string // name and unit, the label of the axis
	Log             bool
	Epochs          []float64
	Train           []float64 // empty if it is not measured on the training part
	Validation      []float64 // empty if there is no validation part
	Best            float64   // epoch of the weights that were kept; 0 for none
}

// XY returns the curves.
func (l Curves) XY() (XY, error) {
	c := XY{Title: l.Title, Subtitle: l.Subtitle, X: Axis{Label: "epoch", Whole: true, Tight: true},
		Y: Axis{Label: l.Measure, Log: l.Log && WantsLog(l.Train, l.Validation)}}
	for i, part := range []struct {
		name   string
		values []float64
	}{{"training", l.Train}, {"validation", l.Validation}} {
		if lo, hi := span(part.values); lo <= hi {
			n := min(len(l.Epochs), len(part.values))
			c.Lines = append(c.Lines, Line{Name: part.name, X: l.Epochs[:n], Y: part.values[:n], Color: i})
		}
	}
	if l.Best > 0 {
		c.Mark = &Mark{l.Best, "best epoch, whose weights are kept"}
	}
	return c, nil
}

func (l Curves) figure() (figure, error) { return plotted(l) }

// Distribution is a named set of numbers above 0.
type Distribution struct {
	Name   string
	Values []float64
}

// Histogram shows how the numbers of one or more sets are distributed, on a
// logarithmic axis: which share of each set falls between two edges.
type Histogram struct {
	Title, Subtitle string
	XLabel          string // name and unit of the values
	Sets            []Distribution
}

// XY returns a line over the middles of the bins for each set. Values that are
// not above 0, and sets none of which has a value, are an error.
func (h Histogram) XY() (XY, error) {
	c := XY{Title: h.Title, Subtitle: h.Subtitle, X: Axis{Label: h.XLabel, Log: true, Tight: true}, Y: Axis{Label: "share of all (%)"}}
	edges, shares, err := logBins(h.Sets)
	if err != nil {
		return c, err
	}
	for i, set := range h.Sets {
		l := Line{Name: set.Name, Color: i, Area: true}
		for bin, share := range shares[i] {
			c.Y.Hi = max(c.Y.Hi, 106*share)
			if share == 0 && shares[i][max(bin-1, 0)] == 0 && shares[i][min(bin+1, len(shares[i])-1)] == 0 {
				share = math.NaN() // nothing far and wide: no line
			}
			l.X, l.Y = append(l.X, math.Sqrt(edges[bin]*edges[bin+1])), append(l.Y, 100*share)
		}
		c.Lines = append(c.Lines, l)
	}
	return c, nil
}

func (h Histogram) figure() (figure, error) { return plotted(h) }

// logBins parts the range of all sets' values into bins whose edges grow by
// one ratio and returns, for each set, the share of its values in each bin: one
// fewer than there are edges.
func logBins(sets []Distribution) (edges []float64, shares [][]float64, err error) {
	lo, hi := math.Inf(1), 0.0
	for _, s := range sets {
		for _, v := range s.Values {
			if !(v > 0) || math.IsInf(v, 1) {
				return nil, nil, fmt.Errorf("%s: %v has no place on a logarithmic axis, want a finite number above 0", s.Name, v)
			}
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	if hi == 0 {
		return nil, nil, fmt.Errorf("no values to show the distribution of")
	}
	const bins = 72
	if hi < lo*1.01 { // all the same
		lo, hi = lo/1.1, hi*1.1
	}
	ratio := math.Log(hi / lo)
	for i := range bins + 1 {
		edges = append(edges, lo*math.Exp(ratio*float64(i)/bins))
	}
	for _, s := range sets {
		share := make([]float64, bins)
		for _, v := range s.Values {
			bin := int(bins * math.Log(v/lo) / ratio)
			share[min(max(bin, 0), bins-1)] += 1 / float64(len(s.Values))
		}
		shares = append(shares, share)
	}
	return edges, shares, nil
}
