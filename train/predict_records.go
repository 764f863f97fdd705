package train

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"

	"github.com/affine-go/affine/datasets"
)

// Columns returns the names of the columns that a row of the model's data has, as
// they were before categories became features.
func (p *Predictor) Columns() []string {
	if p.Schema.Encoding == nil {
		return slices.Clone(p.Schema.Features)
	}
	var names []string
	for _, c := range p.Schema.Encoding.Columns() {
		names = append(names, c.Name)
	}
	return names
}

// PredictRecords returns the model's answers for rows whose cells have the names
// of [Predictor.Columns]; other names are ignored. A cell is a number, a text, a
// bool, or nil or absent if it is missing. Texts are read as the cells of a CSV
// file are, and missing cells are what they were to the training: imputed, or an
// error.
func (p *Predictor) PredictRecords(records []map[string]any) (*Predictions, error) {
	d, err := p.table(records)
	if err != nil {
		return nil, fmt.Errorf("predict: %w", err)
	}
	out := make([]float64, len(records)*p.Outputs())
	if err := p.outputs(out, d.X); err != nil {
		return nil, fmt.Errorf("predict: %w", err)
	}
	predictions, err := p.predictions(out)
	if err != nil {
		return nil, fmt.Errorf("predict: %w", err)
	}
	return predictions, nil
}

// table reads records as a CSV file is read, so that there is one way from cells
// to features.
func (p *Predictor) table(records []map[string]any) (*datasets.Dataset, error) {
	if len(records) == 0 {
		return &datasets.Dataset{}, nil
	}
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	columns := p.Columns()
	if err := w.Write(columns); err != nil {
		return nil, err
	}
	cells := make([]string, len(columns))
	for i, record := range records {
		for j, name := range columns {
			cell, err := cellOf(record[name])
			if err != nil {
				return nil, fmt.Errorf("record %d: column %q %w", i, name, err)
			}
			cells[j] = cell
		}
		if len(cells) == 1 && cells[0] == "" { // not an empty line
			cells[0] = "NA"
		}
		if err := w.Write(cells); err != nil {
			return nil, err
		}
	}
	w.Flush()
	opts := datasets.Options{Schema: &p.Schema}
	opts.CSV.Separator, opts.CSV.DecimalPoint, opts.CSV.Charset = ",", ".", "utf-8"
	return datasets.ReadCSV(&text, "records", opts)
}

// cellOf writes a value as a cell of a CSV file, such that reading gives the same
// number back.
func cellOf(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 64), nil
	case bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return fmt.Sprint(v), nil
	}
	return "", fmt.Errorf("is a %T, want a number, a text, a bool or nil", v)
}
