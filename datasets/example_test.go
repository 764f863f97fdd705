package datasets_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/affine-go/affine/datasets"
)

func ExampleLoad() {
	d, err := datasets.Load("moons", datasets.Options{N: 200, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Len(), "rows of", d.Features, "for", d.Task, "into", d.Classes)
	// Output: 200 rows of [x1 x2] for classification into [upper lower]
}

func ExampleLoad_unknownName() {
	_, err := datasets.Load("mons", datasets.Options{})
	var unknown *datasets.UnknownNameError
	if errors.As(err, &unknown) {
		fmt.Println("perhaps", unknown.Nearest[0])
	}
	// Output: perhaps moons
}

func ExampleDescribe() {
	info, err := datasets.Describe("sine")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Summary)
	fmt.Println(info.Formula)
	// Output:
	// one period of a sine
	// y = sin(2πx) + noise·N(0, 1), x uniform in [0, 1]
}

func ExampleOpen_csv() {
	d, err := datasets.Open("csv:testdata/flowers.csv", datasets.Options{Target: "species"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Features)
	for i := range d.Len() {
		fmt.Println(d.Row(i), d.Classes[int(d.Y[i])])
	}
	// Output:
	// [sepal length sepal width petal length petal width]
	// [5.1 3.5 1.4 0.2] setosa
	// [5 3 1.6 0.2] setosa
	// [7 3.2 4.7 1.4] versicolor
	// [6.6 3 4.4 1.4] versicolor
	// [6.3 3.3 6 2.5] virginica
	// [7.2 3.2 6 1.8] virginica
}

// A model that was trained on some columns reads them by name, from a file that
// has them in another order or has no targets.
func ExampleOpen_schema() {
	trained, err := datasets.Load("iris", datasets.Options{})
	if err != nil {
		log.Fatal(err)
	}
	schema := trained.Schema()
	d, err := datasets.Open("csv:testdata/flowers.csv", datasets.Options{Schema: &schema})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Len(), "rows with targets:", d.Y != nil)
	// Output: 6 rows with targets: true
}

func ExampleOpen_npz() {
	d, err := datasets.Open("npz:testdata/digits.npz", datasets.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Len(), "images of", d.ImageShape, "pixels, the test part from row", d.TestFrom)
	// Output: 6 images of [3 3] pixels, the test part from row 4
}

func ExampleOpen_idx() {
	d, err := datasets.Open("idx:testdata/mnist", datasets.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Len(), "images of", d.ImageShape, "pixels, the test part from row", d.TestFrom)
	fmt.Println(d.Row(0), "is a", d.Classes[int(d.Y[0])])
	// Output:
	// 6 images of [3 3] pixels, the test part from row 4
	// [1 1 1 1 0 1 1 1 1] is a 0
}

func ExampleSplit() {
	d, err := datasets.Load("iris", datasets.Options{})
	if err != nil {
		log.Fatal(err)
	}
	parts, err := datasets.Split(d, datasets.DefaultFractions, 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("train:     ", parts.Train.ClassCounts())
	fmt.Println("validation:", parts.Validation.ClassCounts())
	fmt.Println("test:      ", parts.Test.ClassCounts())
	// Output:
	// train:      [30 30 30]
	// validation: [10 10 10]
	// test:       [10 10 10]
}

func ExampleFitScaler() {
	train := []float64{1, 100, 3, 300} // two rows of two columns
	scaler, err := datasets.FitScaler(datasets.Standard, train, 2)
	if err != nil {
		log.Fatal(err)
	}
	text, err := json.Marshal(scaler)
	if err != nil {
		log.Fatal(err)
	}
	test := []float64{5, 200}
	if err := scaler.Transform(test); err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text))
	fmt.Println(test)
	// Output:
	// {"scaling":"standard","offset":[2,200],"scale":[1,100]}
	// [3 0]
}

func ExampleSampler() {
	d, err := datasets.Load("xor", datasets.Options{N: 10, Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	const batch = 4
	sampler, err := datasets.NewSampler(d.Len(), batch, 1)
	if err != nil {
		log.Fatal(err)
	}
	x := make([]float32, batch*d.Inputs())
	y := make([]float32, batch*d.Outputs())
	for rows := sampler.Next(); rows != nil; rows = sampler.Next() {
		x, y := x[:len(rows)*d.Inputs()], y[:len(rows)*d.Outputs()]
		if err := datasets.GatherInputs(x, d, rows); err != nil {
			log.Fatal(err)
		}
		if err := datasets.GatherTargets(y, d, rows); err != nil {
			log.Fatal(err)
		}
		fmt.Println("a batch of", len(rows), "rows:", len(x), "inputs,", len(y), "targets")
	}
	// Output:
	// a batch of 4 rows: 8 inputs, 8 targets
	// a batch of 4 rows: 8 inputs, 8 targets
	// a batch of 2 rows: 4 inputs, 4 targets
}

// A table with categories and holes: what its columns are is found out, the
// encoding is fitted on the training part, and the schema reads other rows.
func ExampleParts_Encode() {
	const people = "age,city,bought\n20,Oslo,no\n,Rome,no\n40,Oslo,yes\n60,,yes\n30,Rome,no\n50,Oslo,yes\n"
	d, err := datasets.ReadCSV(strings.NewReader(people), "people.csv", datasets.Options{})
	if err != nil {
		log.Fatal(err)
	}
	parts, err := datasets.Parts{Train: d}.Encode()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", parts.Train.Features)

	schema := parts.Train.Schema()
	rows, err := datasets.ReadCSV(strings.NewReader("city;age\nRome;35\nParis;\n"), "new.csv", datasets.Options{Schema: &schema})
	if err != nil {
		log.Fatal(err)
	}
	for i := range rows.Len() {
		fmt.Println(rows.Row(i))
	}
	// Output:
	// ["age" "age is missing" "city=Oslo" "city=Rome" "city is missing"]
	// [35 0 0 1 0]
	// [40 1 0 0 0]
}
