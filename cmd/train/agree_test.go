package main

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// agree CSV JSON checks that the predictions in a file that predict has written
// have the measures that eval has printed for the same rows. The target is the
// column in front of the predictions.
func agree(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: agree CSV JSON")
	}
	rows, err := csv.NewReader(strings.NewReader(ts.ReadFile(args[0]))).ReadAll()
	ts.Check(err)
	var want evaluation
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &want))
	column := slices.Index(rows[0], predictionColumn)
	if rows = rows[1:]; len(rows) != want.Rows {
		ts.Fatalf("%d rows predicted, %d evaluated", len(rows), want.Rows)
	}
	check := func(what string, got float64, want *float64) {
		if want == nil || math.Abs(got-*want) > 1e-9 {
			ts.Fatalf("predictions have %s %v, eval says %v", what, got, known(want))
		}
	}
	if want.Accuracy == nil {
		r2, mae := regressionMeasures(ts, rows, column)
		check("R²", r2, want.R2)
		check("mean absolute error", mae, want.MAE)
		return
	}
	right, loss := 0.0, 0.0
	for _, row := range rows {
		if row[column] == row[column-1] {
			right++
		}
		actual := slices.Index(want.Classes, row[column-1])
		loss -= math.Log(numberIn(ts, row[column+1+actual])) / float64(len(rows))
	}
	check("accuracy", right/float64(len(rows)), want.Accuracy)
	check("cross-entropy", loss, want.Loss)
}

func regressionMeasures(ts *testscript.TestScript, rows [][]string, column int) (r2, mae float64) {
	mean, residual, total := 0.0, 0.0, 0.0
	for _, row := range rows {
		mean += numberIn(ts, row[column-1]) / float64(len(rows))
	}
	for _, row := range rows {
		target, value := numberIn(ts, row[column-1]), numberIn(ts, row[column])
		residual += (target - value) * (target - value)
		total += (target - mean) * (target - mean)
		mae += math.Abs(target-value) / float64(len(rows))
	}
	return 1 - residual/total, mae
}

func numberIn(ts *testscript.TestScript, cell string) float64 {
	v, err := strconv.ParseFloat(cell, 64)
	ts.Check(err)
	return v
}
