package datasets

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// WriteCSV writes the dataset as [ReadCSV] reads it: a header, then one line
// per row with the features and, if there are targets, the target as the last
// column, classes by name. Numbers are written so that reading gives the same
// float64 back.
func WriteCSV(w io.Writer, d *Dataset) error {
	if err := d.Check(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	out := csv.NewWriter(w)
	line := slices.Clone(d.Features)
	if d.Y != nil {
		line = append(line, d.TargetName)
	}
	if err := out.Write(line); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	for i := range d.Len() {
		line = line[:0]
		for _, v := range d.Row(i) {
			line = append(line, strconv.FormatFloat(v, 'g', -1, 64))
		}
		switch {
		case d.Y == nil:
		case d.Task == Classification:
			line = append(line, d.Classes[int(d.Y[i])])
		default:
			line = append(line, strconv.FormatFloat(d.Y[i], 'g', -1, 64))
		}
		if err := out.Write(line); err != nil {
			return fmt.Errorf("write CSV: row %d: %w", i, err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}
