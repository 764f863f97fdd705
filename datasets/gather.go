package datasets

import (
	"fmt"
	"math"
)

// Float is the set of element types that a batch can have.
type Float interface{ ~float32 | ~float64 }

// GatherInputs copies the features of the given rows into dst: [len(rows),
// Inputs], row after row.
func GatherInputs[T Float](dst []T, d *Dataset, rows []int) error {
	n := d.Inputs()
	if err := checkGather("inputs", len(dst), d, rows, n); err != nil {
		return err
	}
	for i, row := range rows {
		out := dst[i*n : (i+1)*n]
		for k, v := range d.Row(row) {
			out[k] = T(v)
		}
	}
	return nil
}

// GatherTargets copies the targets of the given rows into dst: [len(rows),
// Outputs], row after row. For classification a row's targets are one-hot: 1 at
// its class, 0 elsewhere. For regression they are its one number.
func GatherTargets[T Float](dst []T, d *Dataset, rows []int) error {
	if d.Y == nil {
		return fmt.Errorf("gather targets: dataset %q has none", d.Name)
	}
	n := d.Outputs()
	if err := checkGather("targets", len(dst), d, rows, n); err != nil {
		return err
	}
	if d.Task != Classification {
		for i, row := range rows {
			dst[i] = T(d.Y[row])
		}
		return nil
	}
	clear(dst)
	for i, row := range rows {
		y := d.Y[row]
		if !(y >= 0 && y < float64(n) && y == math.Trunc(y)) {
			return fmt.Errorf("gather targets: Y[%d] is %v, want the index of one of the %d classes", row, y, n)
		}
		dst[i*n+int(y)] = 1
	}
	return nil
}

func checkGather(what string, length int, d *Dataset, rows []int, columns int) error {
	if want := len(rows) * columns; length != want {
		return fmt.Errorf("gather %s: room for %d values, want %d: %d rows of %d", what, length, want, len(rows), columns)
	}
	n := d.Len()
	for _, row := range rows {
		if row < 0 || row >= n {
			return fmt.Errorf("gather %s: row %d, dataset %q has %d", what, row, d.Name, n)
		}
	}
	return nil
}
