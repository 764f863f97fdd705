package train

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/affine-go/affine/datasets"
)

// History is what was measured in each epoch of a run, in order.
type History struct {
	Task   datasets.Task
	Epochs []EpochRecord
}

// EpochRecord is a row of a history.
type EpochRecord struct {
	Epoch     int     // counted from 1
	Step      int     // steps taken by the end of the epoch
	LR        float64 // of the epoch's last step
	TrainLoss float64 // mean over the epoch's rows, as they were trained on
	ValLoss   float64 // at the end of the epoch; NaN without validation rows
	ValMetric float64 // accuracy or R² then; NaN without validation rows
	Wall      float64 // seconds of training by then, over all sessions
}

// MetricName returns "accuracy" for classification and "r2" for regression.
func (h *History) MetricName() string { return metricName(h.Task) }

func metricName(task datasets.Task) string {
	if task == datasets.Classification {
		return "accuracy"
	}
	return "r2"
}

func (h *History) header() []string {
	return []string{"epoch", "step", "lr", "train_loss", "val_loss", "val_" + h.MetricName(), "wall_s"}
}

// MarshalCSV returns the history as history.csv holds it: a header and a line
// per epoch, numbers such that reading gives the same ones back, but for the
// wall time, which is in whole microseconds. NaN is an empty cell.
func (h *History) MarshalCSV() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	number := func(x float64) string {
		if math.IsNaN(x) {
			return ""
		}
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	lines := [][]string{h.header()}
	for _, r := range h.Epochs {
		lines = append(lines, []string{strconv.Itoa(r.Epoch), strconv.Itoa(r.Step), number(r.LR), number(r.TrainLoss),
			number(r.ValLoss), number(r.ValMetric), strconv.FormatFloat(r.Wall, 'f', 6, 64)})
	}
	if err := w.WriteAll(lines); err != nil {
		return nil, fmt.Errorf("write history: %w", err)
	}
	return b.Bytes(), nil
}

// ReadHistory reads a history.csv. Errors name the file and the line.
func ReadHistory(path string) (*History, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	h, err := parseHistory(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return h, nil
}

func parseHistory(data []byte) (*History, error) {
	lines, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return nil, err // it names the line
	}
	if len(lines) == 0 {
		return nil, errors.New("file is empty, want a history")
	}
	if data[len(data)-1] != '\n' {
		return nil, fmt.Errorf("line %d: file ends within the line", len(lines))
	}
	h := &History{Task: datasets.Classification}
	if !slices.Equal(lines[0], h.header()) {
		h.Task = datasets.Regression
		if !slices.Equal(lines[0], h.header()) {
			return nil, fmt.Errorf("line 1: columns are %s, want those of a history", strings.Join(lines[0], ","))
		}
	}
	for i, cells := range lines[1:] {
		r, err := parseRecord(cells)
		if err == nil && r.Epoch != i+1 {
			err = fmt.Errorf("epoch is %d, want %d", r.Epoch, i+1)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+2, err)
		}
		h.Epochs = append(h.Epochs, r)
	}
	return h, nil
}

func parseRecord(cells []string) (EpochRecord, error) {
	var r EpochRecord
	for i, into := range []*int{&r.Epoch, &r.Step} {
		n, err := strconv.Atoi(cells[i])
		if err != nil {
			return r, fmt.Errorf("column %d is %q, want a whole number", i+1, cells[i])
		}
		*into = n
	}
	for i, into := range []*float64{&r.LR, &r.TrainLoss, &r.ValLoss, &r.ValMetric, &r.Wall} {
		cell := cells[i+2]
		x, err := strconv.ParseFloat(cell, 64)
		if cell == "" {
			x, err = math.NaN(), nil
		}
		if err != nil {
			return r, fmt.Errorf("column %d is %q, want a number", i+3, cell)
		}
		*into = x
	}
	return r, nil
}
