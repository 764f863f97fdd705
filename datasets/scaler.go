package datasets

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Scaling is a way to bring columns of numbers to a common size.
type Scaling string

const (
	// NoScaling leaves the numbers as they are.
	NoScaling Scaling = "none"
	// Standard subtracts a column's mean and divides by its standard deviation,
	// of the population: √(Σ(x − mean)²/n).
	Standard Scaling = "standard"
	// MinMax maps a column's least value to 0 and its largest to 1.
	MinMax Scaling = "min-max"
)

func (s Scaling) check() error {
	if s != NoScaling && s != Standard && s != MinMax {
		return usagef("scaling %q: want %q, %q or %q", s, NoScaling, Standard, MinMax)
	}
	return nil
}

// Scaler maps each column of a table linearly, and back. It is fitted on the
// training part alone and saved with the model: its JSON form gives the same
// float64 back, bit for bit.
type Scaler struct {
	scaling Scaling
	offset  []float64 // of each column
	scale   []float64
}

// FitScaler returns the scaler of the table x of the given number of columns,
// row after row. A column that is constant is shifted but not scaled. For the
// targets of regression the number of columns is 1.
func FitScaler(scaling Scaling, x []float64, columns int) (*Scaler, error) {
	if err := scaling.check(); err != nil {
		return nil, err
	}
	if columns < 1 || len(x) == 0 || len(x)%columns != 0 {
		return nil, fmt.Errorf("fit scaler: %d values, want rows of %d columns, at least one", len(x), columns)
	}
	for i, v := range x {
		if !finite(v) {
			return nil, fmt.Errorf("fit scaler: row %d, column %d is %v, want a finite number", i/columns, i%columns, v)
		}
	}
	s := &Scaler{scaling: scaling, offset: make([]float64, columns), scale: make([]float64, columns)}
	for c := range columns {
		s.offset[c], s.scale[c] = fit(scaling, x[c:], columns)
		if !finite(s.offset[c]) || !finite(s.scale[c]) {
			return nil, fmt.Errorf("fit scaler: column %d holds numbers too large to scale", c)
		}
	}
	return s, nil
}

// smallestNormal is the least float64 of full precision.
const smallestNormal = 0x1p-1022

// fit returns offset and scale of the column x[0], x[stride], x[2·stride], …
func fit(scaling Scaling, x []float64, stride int) (offset, scale float64) {
	low, high, sum, n := x[0], x[0], 0.0, 0.0
	for i := 0; i < len(x); i += stride {
		low, high, sum, n = min(low, x[i]), max(high, x[i]), sum+x[i], n+1
	}
	switch {
	case scaling == NoScaling:
		return 0, 1
	case high-low < smallestNormal: // by rounding, the deviation of a constant may be above 0
		return low, 1
	case scaling == MinMax:
		return low, high - low
	}
	// In units of the range, no square overflows and no sum of them vanishes.
	mean, unit, squares := sum/n, high-low, 0.0
	for i := 0; i < len(x); i += stride {
		v := (x[i] - mean) / unit
		squares += v * v
	}
	return mean, unit * math.Sqrt(squares/n)
}

// Scaling returns the way of scaling.
func (s *Scaler) Scaling() Scaling { return s.scaling }

// Columns returns the number of columns that the scaler was fitted on.
func (s *Scaler) Columns() int { return len(s.scale) }

// Offset and Scale return copies of what Transform subtracts from each column and
// then divides it by.
func (s *Scaler) Offset() []float64 { return slices.Clone(s.offset) }

// Scale: see Offset.
func (s *Scaler) Scale() []float64 { return slices.Clone(s.scale) }

// Transform maps the rows of x in place: (x − offset)/scale for each column.
func (s *Scaler) Transform(x []float64) error {
	if err := s.check(x); err != nil {
		return err
	}
	for i := 0; i < len(x); i += len(s.scale) {
		row := x[i : i+len(s.scale)]
		for c := range row {
			row[c] = (row[c] - s.offset[c]) / s.scale[c]
		}
	}
	return nil
}

// Inverse maps the rows of x back in place: x·scale + offset for each column.
func (s *Scaler) Inverse(x []float64) error {
	if err := s.check(x); err != nil {
		return err
	}
	for i := 0; i < len(x); i += len(s.scale) {
		row := x[i : i+len(s.scale)]
		for c := range row {
			row[c] = row[c]*s.scale[c] + s.offset[c]
		}
	}
	return nil
}

func (s *Scaler) check(x []float64) error {
	if len(s.scale) == 0 {
		return fmt.Errorf("scaler was not fitted")
	}
	if len(x)%len(s.scale) != 0 {
		return fmt.Errorf("scaler: %d values, want rows of %d columns", len(x), len(s.scale))
	}
	return nil
}

// scalerJSON is the form in which a scaler is saved.
type scalerJSON struct {
	Scaling Scaling   `json:"scaling"`
	Offset  []float64 `json:"offset"`
	Scale   []float64 `json:"scale"`
}

// MarshalJSON writes scaling, offset and scale.
func (s Scaler) MarshalJSON() ([]byte, error) {
	return json.Marshal(scalerJSON{s.scaling, s.offset, s.scale})
}

// UnmarshalJSON reads what MarshalJSON wrote, and refuses what cannot scale.
func (s *Scaler) UnmarshalJSON(text []byte) error {
	var j scalerJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return fmt.Errorf("scaler: %w", err)
	}
	if err := j.Scaling.check(); err != nil {
		return fmt.Errorf("scaler: %w", err)
	}
	if len(j.Offset) == 0 || len(j.Offset) != len(j.Scale) {
		return fmt.Errorf("scaler: %d offsets and %d scales, want one of each for every column", len(j.Offset), len(j.Scale))
	}
	for c, scale := range j.Scale {
		if !(scale > 0) {
			return fmt.Errorf("scaler: scale of column %d is %v, want a number above 0", c, scale)
		}
	}
	s.scaling, s.offset, s.scale = j.Scaling, j.Offset, j.Scale
	return nil
}
