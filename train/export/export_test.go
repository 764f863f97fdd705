package export_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/export"
)

// trained is a short training.
func trained(t *testing.T, dataset string, change func(*train.Config)) *train.Run {
	t.Helper()
	c := train.DefaultConfig(dataset, nil)
	c.Device, c.Seed, c.Epochs, c.Hidden = "cpu", 1, 5, []int{12, 7}
	if dataset != "iris" {
		c.Rows = 90
	}
	if change != nil {
		change(&c)
	}
	r, err := train.Fit(context.Background(), c)
	nettest.Must(t, err)
	return r
}

// rows returns rows like those of the dataset that r was trained on.
func rows(t *testing.T, r *train.Run, n int) ([][]float64, []float64) {
	t.Helper()
	d, err := datasets.Load(r.Config.Dataset, datasets.Options{N: min(n, r.Config.Rows), Seed: 9})
	nettest.Must(t, err)
	x := make([][]float64, d.Len())
	for i := range x {
		x[i] = d.Row(i)
	}
	y := make([]float64, d.Len()*r.Outputs())
	nettest.Must(t, r.PredictInto(y, d.X))
	return x, y
}

func TestWhatTorchWritesImportBringsBack(t *testing.T) {
	for _, dataset := range []string{"moons", "sine"} {
		for _, dtype := range []string{"float32", "float64"} {
			r := trained(t, dataset, func(c *train.Config) { c.Dtype, c.Activation = dtype, "tanh" })
			state, _, err := export.Torch(r.Predictor, "model.safetensors")
			nettest.Must(t, err)
			p, err := export.Import(state, export.ImportOptions{})
			nettest.Must(t, err)
			x, want := rows(t, r, 50)
			got := make([]float64, len(want))
			nettest.Must(t, p.PredictInto(got, slices.Concat(x...)))
			if !slices.Equal(got, want) || fmt.Sprint(p.Schema) != fmt.Sprint(r.Schema) {
				t.Errorf("%s %s: the imported model predicts otherwise", dataset, dtype)
			}
		}
	}
}

func TestImportSaysWhatIsWrong(t *testing.T) {
	state, _, err := export.Torch(trained(t, "moons", nil).Predictor, "m.safetensors")
	nettest.Must(t, err)
	for what, c := range map[string]struct {
		state []byte
		o     export.ImportOptions
		words []string
	}{
		"empty":      {nil, export.ImportOptions{}, []string{"not a safetensors file"}},
		"text":       {[]byte("these are no tensors"), export.ImportOptions{}, []string{"not a safetensors file"}},
		"activation": {state, export.ImportOptions{Activation: "bump"}, []string{"bump", "want one of"}},
		"names":      {[]byte(strings.Replace(string(state), `"2.weight"`, `"2.wait__"`, 1)), export.ImportOptions{}, []string{`"2.wait__"`, "neither the weight"}},
		"a gap":      {[]byte(strings.Replace(string(state), `"2.weight"`, `"9.weight"`, 1)), export.ImportOptions{}, []string{`"2"`, "no weight"}},
		"features":   {state, export.ImportOptions{Features: []string{"a"}}, []string{"2 inputs", "1 features"}},
	} {
		_, err := export.Import(c.state, c.o)
		nettest.Fails(t, err, append(c.words, "import: ")...)
		if err == nil {
			t.Error(what)
		}
	}
}

// python runs a script with the interpreter that AFFINE_PYTHON names, which has
// torch, onnx and onnxruntime.
func python(t *testing.T, dir, script string, out any) {
	t.Helper()
	interpreter := os.Getenv("AFFINE_PYTHON")
	if interpreter == "" {
		t.Skip("AFFINE_PYTHON names no interpreter with torch, onnx and onnxruntime")
	}
	cmd := exec.Command(interpreter, "-c", script)
	cmd.Dir = dir
	var errors strings.Builder
	cmd.Stderr = &errors
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errors.String())
	}
	nettest.Must(t, json.Unmarshal(text, out))
}

func near(t *testing.T, what string, got, want []float64) {
	t.Helper()
	within(t, what, got, want, 1e-6)
}

func within(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= tolerance*max(1, math.Abs(want[i]))) {
			t.Fatalf("%s: number %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// Real PyTorch and ONNX Runtime predict what the predictor does.
func TestOthersPredictTheSame(t *testing.T) {
	for _, dataset := range []string{"moons", "friedman1", "iris"} {
		for _, name := range layer.ActivationNames() {
			for _, dtype := range []string{"float32", "float64"} {
				t.Run(strings.Join([]string{dataset, name, dtype}, " "), func(t *testing.T) {
					if dataset != "moons" && (name != "relu" || dtype == "float64") {
						t.Skip("one dataset is enough for every activation")
					}
					r := trained(t, dataset, func(c *train.Config) { c.Activation, c.Dtype = name, dtype })
					dir := t.TempDir()
					state, script, err := export.Torch(r.Predictor, "net.safetensors")
					nettest.Must(t, err)
					graph, err := export.ONNX(r.Predictor)
					nettest.Must(t, err)
					x, want := rows(t, r, 50)
					for i := range x { // what float32, the type of ONNX's input, holds
						for j := range x[i] {
							x[i][j] = float64(float32(x[i][j]))
						}
					}
					nettest.Must(t, r.PredictInto(want, slices.Concat(x...)))
					input, err := json.Marshal(x)
					nettest.Must(t, err)
					for file, data := range map[string][]byte{"net.safetensors": state, "net.py": script, "net.onnx": graph, "rows.json": input} {
						nettest.Must(t, os.WriteFile(filepath.Join(dir, file), data, 0o644))
					}
					var got struct{ Torch, ONNX []float64 }
					python(t, dir, `
import json, sys
sys.path.insert(0, ".")
import numpy as np, onnx, onnxruntime
from net import predict
onnx.checker.check_model(onnx.load("net.onnx"), full_check=True)
x = json.load(open("rows.json"))
s = onnxruntime.InferenceSession("net.onnx")
one = s.run(None, {s.get_inputs()[0].name: np.array(x[:1], dtype=np.float32)})[0]
all = s.run(None, {"features": np.array(x, dtype=np.float32)})[0]
assert one.shape[0] == 1 and np.allclose(one, all[:1], rtol=1e-5)
print(json.dumps({"Torch": predict(x).flatten().tolist(), "ONNX": all.astype(float).flatten().tolist()}))
`, &got)
					near(t, "PyTorch", got.Torch, want)
					near(t, "ONNX Runtime", got.ONNX, want)
				})
			}
		}
	}
}

// TestOthersTakeTheColumnsOfATable: real PyTorch and ONNX Runtime, given raw
// columns with holes and categories that the training did not see, predict what
// the predictor does of the file.
func TestOthersTakeTheColumnsOfATable(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	pick := func(words ...string) string { return words[rng.IntN(len(words))] }
	table := func(rows int, unseen string, holes bool) string {
		b := strings.Builder{}
		b.WriteString("age,city,member,joined,rooms,y\n")
		hole := func(cell string) string {
			if holes && rng.IntN(8) == 0 {
				return pick("", "NA", "?", "nan")
			}
			return cell
		}
		for range rows {
			age, city := rng.NormFloat64()*12+40, pick("Oslo", "Rome", `"New ""York"", NY"`, "Kiel", "None", unseen)
			fmt.Fprintf(&b, "%s,%s,%s,%s,%s,%s\n", hole(strconv.FormatFloat(age, 'f', 2, 32)), hole(city), hole(pick("no", "yes")),
				fmt.Sprintf("20%02d-%02d-%02d", 10+rng.IntN(9), 1+rng.IntN(12), 1+rng.IntN(28)), hole(pick("1", "2", "3")), pick("low", "high"))
		}
		return b.String()
	}
	for what, change := range map[string]func(*train.Config){
		"mixed":   func(c *train.Config) { c.CSV.Categorical, c.CSV.Dates = []string{"rooms"}, []string{"joined"} },
		"others":  func(c *train.Config) { c.CSV.MaxCategories = 2 },
		"numbers": func(c *train.Config) { c.CSV.Only = []string{"age", "rooms", "member"} },
		"texts":   func(c *train.Config) { c.CSV.Only = []string{"city"} },
		"refused": func(c *train.Config) { c.CSV.Missing = datasets.RefuseMissing },
	} {
		t.Run(what, func(t *testing.T) {
			holes := what != "refused"
			dir := t.TempDir()
			path := filepath.Join(dir, "table.csv")
			nettest.Must(t, os.WriteFile(path, []byte(table(300, "Oslo", holes)), 0o644))
			c := train.DefaultConfig("csv:"+path, nil)
			c.Target, c.Device, c.Seed, c.Epochs, c.Hidden, c.Dtype = "y", "cpu", 1, 3, []int{9}, "float64"
			change(&c)
			r, err := train.Fit(context.Background(), c)
			nettest.Must(t, err)
			state, script, err := export.Torch(r.Predictor, "net.safetensors")
			nettest.Must(t, err)
			graph, err := export.ONNX(r.Predictor)
			nettest.Must(t, err)
			unseen := filepath.Join(dir, "unseen.csv")
			for file, data := range map[string][]byte{"net.safetensors": state, "net.py": script, "net.onnx": graph, "unseen.csv": []byte(table(120, "Bergen", holes))} {
				nettest.Must(t, os.WriteFile(filepath.Join(dir, file), data, 0o644))
			}
			d, err := datasets.OpenCSV(unseen, datasets.Options{Schema: &r.Schema})
			nettest.Must(t, err)
			want := make([]float64, d.Len()*r.Outputs())
			nettest.Must(t, r.PredictInto(want, d.X))
			var got struct{ Torch, ONNX []float64 }
			python(t, dir, `
import csv, datetime, json, sys
sys.path.insert(0, ".")
import numpy as np, onnx, onnxruntime
from net import predict
rows = list(csv.DictReader(open("unseen.csv")))
table = {k: [r[k] for r in rows] for k in rows[0]}
onnx.checker.check_model(onnx.load("net.onnx"), full_check=True)
s = onnxruntime.InferenceSession("net.onnx")
names = {k: json.loads(v) for k, v in s.get_modelmeta().custom_metadata_map.items()}
def number(v):
    if v in ("", "NA", "?", "nan"): return float("nan")
    if v in ("no", "yes"): return float(v == "yes")
    return (datetime.date.fromisoformat(v) - datetime.date(1970, 1, 1)).days if "-" in v else float(v)
def text(v):
    return "" if v in ("", "NA", "?", "nan") else v
inputs = {}
for i in s.get_inputs():
    f, dtype = (number, np.float32) if i.name == "features" else (text, object)
    inputs[i.name] = np.array([[f(v) for v in table[c]] for c in names[i.name]], dtype=dtype).T
one = s.run(None, {k: v[:1] for k, v in inputs.items()})[0]
all = s.run(None, inputs)[0]
assert one.shape[0] == 1 and np.allclose(one, all[:1], rtol=1e-5)
print(json.dumps({"Torch": predict(table).flatten().tolist(), "ONNX": all.astype(float).flatten().tolist()}))
`, &got)
			near(t, "PyTorch", got.Torch, want)
			near(t, "ONNX Runtime", got.ONNX, want)
		})
	}
}

// Weights of PyTorch, imported and trained on for 100 steps, end where PyTorch's
// own training ends.
func TestTrainingGoesOnAsInPyTorch(t *testing.T) {
	dir := t.TempDir()
	var torch struct {
		Before, After []float64
		Names         []string
	}
	python(t, dir, `
import csv, json, torch
from torch import nn
from safetensors.torch import save_file
torch.manual_seed(3)
net = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 2))
save_file(net.state_dict(), "net.safetensors")
x = torch.randn(64, 3)
y = (x[:, 0] * x[:, 1] > x[:, 2]).long()
with open("rows.csv", "w") as f:
    w = csv.writer(f)
    w.writerow(["x1", "x2", "x3", "y"])
    w.writerows([*(repr(v) for v in a.tolist()), "class%d" % b] for a, b in zip(x, y))
before = torch.softmax(net(x), 1)
adam = torch.optim.Adam(net.parameters(), lr=0.01)
for _ in range(100):
    adam.zero_grad()
    nn.functional.cross_entropy(net(x), y).backward()
    adam.step()
names = list(dict.fromkeys("class%d" % v for v in y))
print(json.dumps({"Before": before.flatten().tolist(), "After": torch.softmax(net(x), 1).flatten().tolist(), "Names": names}))
`, &torch)
	state, err := os.ReadFile(filepath.Join(dir, "net.safetensors"))
	nettest.Must(t, err)
	p, err := export.Import(state, export.ImportOptions{Activation: "tanh"})
	nettest.Must(t, err)
	d, err := datasets.Open("csv:"+filepath.Join(dir, "rows.csv"), datasets.Options{})
	nettest.Must(t, err)
	got := make([]float64, len(torch.Before))
	nettest.Must(t, p.PredictInto(got, d.X))
	near(t, "imported", got, torch.Before)

	model := filepath.Join(dir, "imported.safetensors")
	nettest.Must(t, p.Save(model))
	c := train.DefaultConfig("csv:"+filepath.Join(dir, "rows.csv"), d)
	spec := p.Spec()
	c.From, c.Hidden, c.Activation, c.Dtype = model, spec.Hidden, spec.Activation.String(), spec.Dtype.String()
	c.Fractions, c.Monitor, c.Device = datasets.Fractions{}, train.MonitorTrainLoss, "cpu"
	c.Optimizer, c.LR, c.WeightDecay, c.Schedule, c.Epochs, c.Batch, c.Patience = "adam", 0.01, 0, "constant", 100, 64, 0
	parts, err := c.Load()
	nettest.Must(t, err)
	tr, err := train.NewTrainer(c, parts)
	nettest.Must(t, err)
	for !tr.Finished() {
		_, err := tr.Step()
		nettest.Must(t, err)
		if tr.EpochDone() {
			nettest.Must(t, tr.FinishEpoch())
		}
	}
	p, err = tr.Predictor()
	nettest.Must(t, err)
	nettest.Must(t, p.PredictInto(got, d.X))
	within(t, "trained on", got, torch.After, 1e-5)
}
