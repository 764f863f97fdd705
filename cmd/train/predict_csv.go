package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/train"
)

const predictionColumn = "prediction"

// withPredictions returns a CSV text that datasets.ReadCSV has read, every
// cell as it was, with columns for the predictions behind the others.
func withPredictions(text []byte, schema datasets.Schema, p *train.Predictions) ([]byte, error) {
	lines, separator, err := parseCSV(text, schema.Features)
	if err != nil {
		return nil, err
	}
	added := []string{predictionColumn}
	for _, class := range schema.Classes {
		added = append(added, "p("+class+")")
	}
	for _, name := range added {
		if slices.ContainsFunc(lines[0], func(cell string) bool { return strings.TrimSpace(cell) == name }) {
			return nil, fmt.Errorf("there is a column %q already, want it under another name", name)
		}
	}
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.Comma = separator
	if err := w.Write(append(lines[0], added...)); err != nil {
		return nil, err
	}
	for i, line := range lines[1:] {
		if err := w.Write(append(line, predictedCells(schema, p, i)...)); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return out.Bytes(), w.Error()
}

// parseCSV finds the separator with which the header names all the features.
func parseCSV(text []byte, features []string) (lines [][]string, separator rune, err error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	for _, separator := range ",;\t" {
		r := csv.NewReader(bytes.NewReader(text))
		r.Comma = separator
		r.TrimLeadingSpace = separator != '\t'
		header, err := r.Read()
		if err != nil || !named(header, features) {
			continue
		}
		rest, err := r.ReadAll()
		if err != nil {
			return nil, 0, err
		}
		return append([][]string{header}, rest...), separator, nil
	}
	return nil, 0, fmt.Errorf("header: no columns %s", strings.Join(features, ", "))
}

func named(header, features []string) bool {
	for _, name := range features {
		if !slices.ContainsFunc(header, func(cell string) bool { return strings.TrimSpace(cell) == name }) {
			return false
		}
	}
	return true
}

// predictedCells writes a row's prediction and the probability of each class,
// numbers such that reading gives the same ones back.
func predictedCells(schema datasets.Schema, p *train.Predictions, row int) []string {
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	if schema.Task == datasets.Regression {
		return []string{number(p.Values[row])}
	}
	cells := []string{schema.Classes[p.Classes[row]]}
	for _, probability := range p.Probabilities[row] {
		cells = append(cells, number(probability))
	}
	return cells
}
