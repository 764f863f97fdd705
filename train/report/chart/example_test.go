package chart_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/affine-go/affine/train/report/chart"
)

func ExampleSave() {
	dir, err := os.MkdirTemp("", "charts")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "loss.svg")
	err = chart.Save(file, chart.Curves{
		Title: "Training on moons", Measure: "cross-entropy (nats)",
		Epochs: []float64{1, 2, 3}, Train: []float64{0.7, 0.4, 0.2}, Validation: []float64{0.6, 0.5, 0.3},
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = os.Stat(file)
	fmt.Println(err)
	// Output: <nil>
}
