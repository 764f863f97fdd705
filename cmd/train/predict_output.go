package main

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/affine-go/affine/datasets"
)

const predictionColumn = "prediction"

// predictedLines writes rows as CSV: cells of the input, then the prediction.
type predictedLines struct {
	w         io.Writer
	schema    *datasets.Schema
	proba     bool
	separator byte
	classes   []string // as they are written
	line      []byte   // what is not written yet
}

// header writes the names of the columns.
func (l *predictedLines) header(names []string) error {
	added := []string{predictionColumn}
	if l.proba {
		for _, class := range l.schema.Classes {
			added = append(added, "p("+class+")")
		}
	}
	taken := make(map[string]bool, len(names))
	for _, name := range names {
		taken[name] = true
	}
	for _, name := range added {
		if taken[name] {
			return fmt.Errorf("there is a column %q already, want it under another name", name)
		}
	}
	for i, name := range append(slices.Clone(names), added...) {
		l.cell(i, datasets.GuardCell(name))
	}
	for _, class := range l.schema.Classes {
		l.classes = append(l.classes, datasets.GuardCell(class))
	}
	l.line = append(l.line, '\n')
	return nil
}

// row writes the cells of a row of the input and the model's answer.
func (l *predictedLines) row(cells [][]byte, answer []float64) error {
	for i, cell := range cells {
		l.cell(i, datasets.GuardCell(string(cell)))
	}
	n := len(cells)
	if l.schema.Task == datasets.Regression {
		l.number(n, answer[0])
	} else {
		l.cell(n, l.classes[mostProbable(answer)])
		if l.proba {
			for k, p := range answer {
				l.number(n+1+k, p)
			}
		}
	}
	l.line = append(l.line, '\n')
	if len(l.line) < 1<<16 {
		return nil
	}
	return l.flush()
}

// cell writes a text as cell i of its row, in quotation marks if it needs
// them (RFC 4180).
func (l *predictedLines) cell(i int, text string) {
	if i > 0 {
		l.line = append(l.line, l.separator)
	}
	if !strings.ContainsAny(text, "\"\r\n") && strings.IndexByte(text, l.separator) < 0 && strings.TrimSpace(text) == text {
		l.line = append(l.line, text...)
		return
	}
	l.line = append(l.line, '"')
	l.line = append(l.line, strings.ReplaceAll(text, `"`, `""`)...)
	l.line = append(l.line, '"')
}

// number writes a number such that reading gives the same one back.
func (l *predictedLines) number(i int, v float64) {
	if i > 0 {
		l.line = append(l.line, l.separator)
	}
	l.line = strconv.AppendFloat(l.line, v, 'g', -1, 64)
}

func (l *predictedLines) flush() error {
	_, err := l.w.Write(l.line)
	l.line = l.line[:0]
	if err != nil {
		return fmt.Errorf("write predictions: %w", err)
	}
	return nil
}

// predictedArrays keeps predictions for an NPZ file.
type predictedArrays struct {
	schema  *datasets.Schema
	proba   bool
	values  []float64 // of regression
	indices []int64   // of classes
	p       []float64 // [rows, classes]
}

func (a *predictedArrays) add(out []float64) {
	if a.schema.Task == datasets.Regression {
		a.values = append(a.values, out...)
		return
	}
	classes := len(a.schema.Classes)
	for ; len(out) > 0; out = out[classes:] {
		a.indices = append(a.indices, int64(mostProbable(out[:classes])))
		if a.proba {
			a.p = append(a.p, out[:classes]...)
		}
	}
}

// write writes the arrays prediction, classes and probability.
func (a *predictedArrays) write(w io.Writer) error {
	z := zip.NewWriter(w)
	add := func(name string, array []byte) error {
		f, err := z.Create(name + ".npy")
		if err == nil {
			_, err = f.Write(array)
		}
		return err
	}
	rows := len(a.indices)
	if a.schema.Task == datasets.Regression {
		if err := add(predictionColumn, npyNumbers("<f8", fmt.Sprintf("(%d,)", len(a.values)), a.values)); err != nil {
			return err
		}
		return z.Close()
	}
	if err := add(predictionColumn, npyNumbers("<i8", fmt.Sprintf("(%d,)", rows), a.indices)); err != nil {
		return err
	}
	if err := add("classes", npyTexts(a.schema.Classes)); err != nil {
		return err
	}
	if a.proba {
		if err := add("probability", npyNumbers("<f8", fmt.Sprintf("(%d, %d)", rows, len(a.schema.Classes)), a.p)); err != nil {
			return err
		}
	}
	return z.Close()
}

// npyTexts returns an array of texts in NumPy's NPY format, each of the same number of UTF-32 characters, filled up with zeros.
func npyTexts(texts []string) []byte {
	width := 1
	for _, text := range texts {
		width = max(width, len([]rune(text)))
	}
	b := npyHeader(fmt.Sprintf("<U%d", width), fmt.Sprintf("(%d,)", len(texts)))
	for _, text := range texts {
		runes := []rune(text)
		for i := range width {
			var r rune
			if i < len(runes) {
				r = runes[i]
			}
			b = binary.LittleEndian.AppendUint32(b, uint32(r))
		}
	}
	return b
}

// npyNumbers returns an array of numbers in NumPy's NPY format. npyio writes
// matrices of gonum alone, and column by column.
func npyNumbers[T int64 | float64](dtype, shape string, values []T) []byte {
	b, _ := binary.Append(npyHeader(dtype, shape), binary.LittleEndian, values) // numbers of a fixed size always fit
	return b
}

// npyHeader begins an array: version 1.0 of the format, padded to 64 bytes.
func npyHeader(descr, shape string) []byte {
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape)
	dict += strings.Repeat(" ", 63-(10+len(dict))%64) + "\n"
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(dict)), byte(len(dict)>>8))
	return append(b, dict...)
}
