package train_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

// Predictions for any number of rows are those that an evaluation of the same
// rows is made from, bit for bit.
func TestPredictionsEqualEvaluation(t *testing.T) {
	for _, dataset := range []string{"moons", "sine"} {
		c := smallConfig(t, dataset)
		r := fit(t, c)
		d, err := datasets.Load(dataset, datasets.Options{N: 700, Seed: 3})
		nettest.Must(t, err)
		for _, n := range []int{1, 2, 255, 256, 257, 700} {
			rows := make([]int, n)
			for i := range rows {
				rows[i] = (7 * i) % 700
			}
			part := d.Subset(rows)
			e, err := r.Evaluate(part)
			nettest.Must(t, err)
			p, err := r.Predict(rowsOf(part))
			nettest.Must(t, err)
			if !reflect.DeepEqual(p, e.Predictions) {
				t.Errorf("%s: predictions for %d rows differ from those of their evaluation", dataset, n)
			}
		}
	}
}

func TestEvaluationSumsPredictionsUp(t *testing.T) {
	r := fit(t, smallConfig(t, "moons"))
	d, err := datasets.Load("moons", datasets.Options{N: 300, Seed: 3})
	nettest.Must(t, err)
	e, err := r.Evaluate(d)
	nettest.Must(t, err)
	right, loss := 0, 0.0
	counts := [2][2]int{}
	for i, y := range d.Y {
		p := e.Predictions.Probabilities[i]
		class := 0
		if p[1] > p[0] {
			class = 1
		}
		if math.Abs(p[0]+p[1]-1) > 1e-12 || class != e.Predictions.Classes[i] {
			t.Fatalf("row %d: probabilities %v, class %d", i, p, e.Predictions.Classes[i])
		}
		loss -= math.Log(p[int(y)]) / 300
		counts[int(y)][class]++
		if class == int(y) {
			right++
		}
	}
	if e.Rows != 300 || e.Accuracy != float64(right)/300 || math.Abs(e.Loss-loss) > 1e-12*loss {
		t.Errorf("%d rows, accuracy %v and loss %v, want 300, %v and %v", e.Rows, e.Accuracy, e.Loss, float64(right)/300, loss)
	}
	if fmt.Sprint(e.Confusion) != fmt.Sprint(train.Confusion{counts[0][:], counts[1][:]}) {
		t.Errorf("confusion is\n%v, want %v", e.Confusion, counts)
	}
}

// Values are on the scale of the dataset; the loss is on that of the training.
func TestRegressionAnswersOnTheScaleOfTheTargets(t *testing.T) {
	c := smallConfig(t, "linear")
	c.Rows, c.Hidden, c.Epochs, c.LR = 300, nil, 60, 0.05
	r := fit(t, c)
	d, err := datasets.Load("linear", datasets.Options{N: 200, Seed: 3})
	nettest.Must(t, err)
	e, err := r.Evaluate(d)
	nettest.Must(t, err)
	mae, err := train.MAE(columnOf(e.Predictions.Values), columnOf(d.Y))
	nettest.Must(t, err)
	r2, err := train.R2(columnOf(e.Predictions.Values), columnOf(d.Y))
	nettest.Must(t, err)
	if e.MAE != mae || math.Abs(e.R2-r2) > 1e-12 {
		t.Errorf("mean absolute error %v and R² %v, want %v and %v", e.MAE, e.R2, mae, r2)
	}
	if r2 < 0.99 || mae > 0.2 { // the noise is 0.1
		t.Errorf("R² is %v and the mean absolute error %v", r2, mae)
	}
	parts, err := c.Load()
	nettest.Must(t, err)
	var mean, squares, loss float64
	for _, y := range parts.Train.Y {
		mean += y / float64(len(parts.Train.Y))
	}
	for _, y := range parts.Train.Y {
		squares += (y - mean) * (y - mean) / float64(len(parts.Train.Y))
	}
	for i, y := range d.Y {
		loss += math.Pow(y-e.Predictions.Values[i], 2) / squares / 200
	}
	if math.Abs(e.Loss-loss) > 1e-9*loss {
		t.Errorf("loss is %v, want %v", e.Loss, loss)
	}
}

func TestPredictOfNoRowsIsEmpty(t *testing.T) {
	for _, dataset := range []string{"moons", "sine"} {
		p, err := fit(t, smallConfig(t, dataset)).Predict(nil)
		nettest.Must(t, err)
		if len(p.Classes)+len(p.Probabilities)+len(p.Values) != 0 {
			t.Errorf("%s: predictions for no rows are %v", dataset, p)
		}
	}
}

func TestPredictRefusesRowsThatDoNotFit(t *testing.T) {
	r := fit(t, smallConfig(t, "moons"))
	good := []float64{0.5, 0.5}
	for what, c := range map[string]struct {
		row   []float64
		words []string
	}{
		"too few":    {[]float64{1}, []string{"row 1", "1 features", "wants 2"}},
		"too many":   {[]float64{1, 2, 3}, []string{"row 1", "3 features", "wants 2"}},
		"not finite": {[]float64{1, math.NaN()}, []string{"row 1", `"x2"`, "NaN", "finite"}},
		"too large":  {[]float64{1, 1e300}, []string{"row 1", "output", "not finite"}},
	} {
		_, err := r.Predict([][]float64{good, c.row})
		wantError(t, what, err, append(slices.Clone(c.words), "predict: ")...)
	}
}

func TestEvaluateRefusesDatasetsThatDoNotFit(t *testing.T) {
	r := fit(t, smallConfig(t, "moons"))
	load := func(name string) *datasets.Dataset {
		d, err := datasets.Load(name, datasets.Options{})
		nettest.Must(t, err)
		return d
	}
	without := load("moons")
	without.Y = nil
	more := load("moons")
	more.Classes = append(slices.Clone(more.Classes), "third")
	renamed := load("moons")
	renamed.Classes = []string{"left", "right"}
	for what, c := range map[string]struct {
		d     *datasets.Dataset
		words []string
	}{
		"task":     {load("sine"), []string{"regression", "classification"}},
		"features": {load("iris"), []string{"4 features", "wants 2"}},
		"classes":  {more, []string{"3 classes", "knows 2"}},
		"names":    {renamed, []string{`"left"`}},
		"targets":  {without, []string{"no targets"}},
		"rows":     {load("moons").Subset(nil), []string{"no rows"}},
	} {
		_, err := r.Evaluate(c.d)
		wantError(t, what, err, append(slices.Clone(c.words), "evaluate "+c.d.Name)...)
	}
	_, err := r.Evaluate(nil)
	wantError(t, "no dataset", err, "evaluate: dataset is nil")
}

// weightsOf returns copies of a predictor's weights.
func weightsOf(t testing.TB, p *train.Predictor) map[string]*tensor.Dense {
	t.Helper()
	weights, err := p.Weights()
	nettest.Must(t, err)
	return weights
}

// Any number of goroutines predict with one predictor.
func TestPredictConcurrently(t *testing.T) {
	r := fit(t, smallConfig(t, "moons"))
	rows := []float64{0.5, 0.5, -1, 0.25, 2, -0.125}
	want := make([]float64, 6)
	nettest.Must(t, r.PredictInto(want, rows))
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			got := make([]float64, 2)
			for i := range 200 {
				row := i % 3
				if err := r.PredictInto(got, rows[2*row:2*row+2]); err != nil || !slices.Equal(got, want[2*row:2*row+2]) {
					t.Errorf("row %d: %v and error %v, want %v", row, got, err, want[2*row:2*row+2])
					return
				}
			}
		})
	}
	wait.Wait()
}

// A predictor keeps the weights of its moment while the training goes on beside
// it.
func TestATrainersPredictorStaysAsItIs(t *testing.T) {
	tr := newTrainer(t, smallConfig(t, "moons"))
	p, err := tr.Predictor()
	nettest.Must(t, err)
	before, after := make([]float64, 2), make([]float64, 2)
	nettest.Must(t, p.PredictInto(before, []float64{0.5, 0.5}))
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			got := make([]float64, 2)
			for range 100 {
				if err := p.PredictInto(got, []float64{0.5, 0.5}); err != nil || !slices.Equal(got, before) {
					t.Errorf("%v and error %v, want %v", got, err, before)
					return
				}
			}
		})
	}
	losses(t, tr, 3)
	wait.Wait()
	nettest.Must(t, p.PredictInto(after, []float64{0.5, 0.5}))
	now, err := tr.Predictor()
	nettest.Must(t, err)
	trained := make([]float64, 2)
	nettest.Must(t, now.PredictInto(trained, []float64{0.5, 0.5}))
	if !slices.Equal(before, after) || slices.Equal(before, trained) {
		t.Errorf("before %v, after three steps %v, of a new predictor %v", before, after, trained)
	}
}

func TestPredictIntoAllocatesNothing(t *testing.T) {
	for _, dataset := range []string{"moons", "sine"} {
		r := fit(t, smallConfig(t, dataset))
		x := make([]float64, 5*len(r.Schema.Features))
		y := make([]float64, 5*r.Outputs())
		if n := testing.AllocsPerRun(100, func() { nettest.Must(t, r.PredictInto(y, x)) }); n != 0 {
			t.Errorf("%s: %v allocations a call", dataset, n)
		}
	}
}

func TestPredictIntoRefusesWhatDoesNotFit(t *testing.T) {
	r := fit(t, smallConfig(t, "moons"))
	wantError(t, "half a row", r.PredictInto(make([]float64, 2), make([]float64, 3)), "3 values", "rows of 2")
	wantError(t, "little room", r.PredictInto(make([]float64, 3), make([]float64, 4)), "room for 3", "want 4 for 2 rows")
	wantError(t, "NaN", r.PredictInto(make([]float64, 2), []float64{0, math.NaN()}), "row 0", `"x2"`, "NaN")
}

// The same bytes make the same predictor, from a file, a run directory or a
// reader.
func TestPredictorsOfOneModelAgree(t *testing.T) {
	dir := t.TempDir()
	r := fit(t, smallConfig(t, "moons"), train.InDirectory(dir))
	file := filepath.Join(dir, train.ModelFile)
	data, err := os.ReadFile(file)
	nettest.Must(t, err)
	fromRun, err := train.LoadPredictor(dir)
	nettest.Must(t, err)
	fromFile, err := train.LoadPredictor(file)
	nettest.Must(t, err)
	fromBytes, err := train.ReadPredictor(bytes.NewReader(data))
	nettest.Must(t, err)
	want, err := r.Predict([][]float64{{0.5, 0.5}, {-1, 2}})
	nettest.Must(t, err)
	for _, p := range []*train.Predictor{fromRun, fromFile, fromBytes} {
		got, err := p.Predict([][]float64{{0.5, 0.5}, {-1, 2}})
		nettest.Must(t, err)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

// A row's answer has the same bits in a batch of any size and with any rows
// beside it.
func TestARowsAnswerDoesNotDependOnItsBatch(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		hidden := rapid.SliceOfN(rapid.IntRange(1, 300), 0, 3).Draw(rt, "hidden")
		inputs, outputs := rapid.IntRange(1, 300).Draw(rt, "inputs"), rapid.IntRange(2, 40).Draw(rt, "outputs")
		dtype := rapid.SampledFrom([]tensor.Dtype{tensor.Float32, tensor.Float64}).Draw(rt, "dtype")
		act, err := layer.ParseActivation(rapid.SampledFrom(layer.ActivationNames()).Draw(rt, "activation"))
		nettest.Must(rt, err)
		m, err := train.NewModel(train.Spec{
			Task: datasets.Classification, Inputs: inputs, Hidden: hidden, Outputs: outputs,
			Activation: act, Init: layer.GlorotUniform, BiasInit: layer.FanInUniform, Seed: 1, Dtype: dtype,
		})
		nettest.Must(rt, err)
		x := make([]float64, 600*inputs)
		for i := range x {
			x[i] = math.Sin(1.7 * float64(i))
		}
		all, err := m.Forward(x)
		nettest.Must(rt, err)
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(rapid.SampledFrom([]int{1, 2, 8}).Draw(rt, "threads")))
		for range 8 {
			lo := rapid.IntRange(0, 599).Draw(rt, "first")
			n := min(rapid.SampledFrom([]int{1, 2, 3, 7, 16, 17, 255, 256, 600}).Draw(rt, "rows"), 600-lo)
			part, err := m.Forward(x[lo*inputs : (lo+n)*inputs])
			nettest.Must(rt, err)
			if !slices.Equal(part, all[lo*outputs:(lo+n)*outputs]) {
				rt.Fatalf("rows %d to %d of %d-%v-%d %v %v differ from the same rows among 600", lo, lo+n-1, inputs, hidden, outputs, dtype, act)
			}
		}
	})
}

// Records by column name give what the rows of the same table give.
func TestRecordsAreRowsByName(t *testing.T) {
	var text strings.Builder
	text.WriteString("city,age,member,bought\n")
	for i := range 90 {
		age := fmt.Sprint(20 + i%50)
		if i%17 == 0 {
			age = ""
		}
		fmt.Fprintf(&text, "%s,%s,%v,%s\n", []string{"Rome", "Oslo", "Köln"}[i%3], age, i%2 == 0, []string{"no", "yes"}[(i/3)%2])
	}
	path := filepath.Join(t.TempDir(), "people.csv")
	nettest.Must(t, os.WriteFile(path, []byte(text.String()), 0o644))
	source := "csv:" + path
	d, err := datasets.Open(source, datasets.Options{Target: "bought"})
	nettest.Must(t, err)
	c := train.DefaultConfig(source, d)
	c.Target, c.Device, c.Epochs, c.Seed = "bought", "cpu", 3, 1
	r := fit(t, c)
	if got := r.Columns(); !slices.Equal(got, []string{"city", "age", "member"}) {
		t.Fatalf("columns are %q", got)
	}
	records := []map[string]any{
		{"age": 33.5, "city": "Köln", "member": true, "note": "ignored"},
		{"city": "Paris", "age": nil, "member": "False"},
		{"city": "Rome", "age": "41", "member": false},
	}
	got, err := r.PredictRecords(records)
	nettest.Must(t, err)
	same, err := datasets.ReadCSV(strings.NewReader("member,city,age\nTrue,Köln,33.5\nFalse,Paris,\nFalse,Rome,41\n"), "same", datasets.Options{Schema: &r.Schema})
	nettest.Must(t, err)
	want, err := r.Predict(rowsOf(same))
	nettest.Must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("records give %v, rows %v", got, want)
	}
	_, err = r.PredictRecords([]map[string]any{{"city": "Rome", "age": []int{1}, "member": true}})
	wantError(t, "a list", err, "predict: record 0", `"age"`, "[]int")
	_, err = r.PredictRecords([]map[string]any{{"city": "Rome", "age": "old", "member": true}})
	wantError(t, "a text", err, "predict: ", "age", "old")
	none, err := r.PredictRecords(nil)
	nettest.Must(t, err)
	if len(none.Classes) != 0 {
		t.Errorf("no records give %v", none)
	}
	plain := fit(t, smallConfig(t, "moons"))
	a, err := plain.PredictRecords([]map[string]any{{"x2": 0.25, "x1": 0.5}})
	nettest.Must(t, err)
	b, err := plain.Predict([][]float64{{0.5, 0.25}})
	nettest.Must(t, err)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("a record gives %v, the row %v", a, b)
	}
	_, err = plain.PredictRecords([]map[string]any{{"x1": 0.5}})
	wantError(t, "an absent number", err, "predict: ", "x2")
}
