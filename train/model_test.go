package train_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/atomicfile"
	"github.com/affine-go/affine/internal/atomicfile/atomicfiletest"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func smallSpec() train.Spec {
	return train.Spec{Task: datasets.Classification, Inputs: 3, Outputs: 2, Hidden: []int{4}, Activation: layer.Tanh,
		Init: layer.GlorotNormal, BiasInit: layer.HeNormal, Seed: 5}
}

func TestModelHasAWeightAndABiasForEachLayer(t *testing.T) {
	m, err := train.NewModel(smallSpec())
	nettest.Must(t, err)
	want := map[string]tensor.Shape{
		"linear1.weight": {3, 4}, "linear1.bias": {4}, "linear2.weight": {4, 2}, "linear2.bias": {2},
	}
	weights := m.Weights()
	if len(weights) != len(want) {
		t.Errorf("%d learnables, want %d", len(weights), len(want))
	}
	for name, shape := range want {
		if w := weights[name]; w == nil || !slices.Equal(w.Shape(), shape) || w.Dtype() != tensor.Float32 {
			t.Errorf("%s is %v, want float32 of shape %v", name, w, shape)
		}
	}
	if m.Parameters() != 3*4+4+4*2+2 {
		t.Errorf("%d parameters, want %d", m.Parameters(), 3*4+4+4*2+2)
	}
	if got, want := m.String(), "3-4-2 tanh, classification, 26 parameters, float32, fused on cpu"; got != want {
		t.Errorf("model describes itself as %q, want %q", got, want)
	}
	s := smallSpec()
	s.Hidden = nil
	linear, err := train.NewModel(s)
	nettest.Must(t, err)
	if got, want := linear.String(), "3-2, classification, 8 parameters, float32, fused on cpu"; got != want {
		t.Errorf("model without hidden layers describes itself as %q, want %q", got, want)
	}
}

// The weights are those that layer.NewLinear draws under the same names.
func TestModelDrawsItsWeightsAsLayersDo(t *testing.T) {
	m, err := train.NewModel(smallSpec())
	nettest.Must(t, err)
	g := gorgonia.NewGraph()
	for _, dims := range [][2]int{{3, 4}, {4, 2}} {
		l, err := layer.NewLinear(g, dims[0], dims[1], layer.WithInit(layer.GlorotNormal), layer.WithBiasInit(layer.HeNormal), layer.WithSeed(5))
		nettest.Must(t, err)
		for _, n := range l.Learnables() {
			if !nettest.SameNumbers(n.Value(), m.Weights()[n.Name()]) {
				t.Errorf("%s is not what the layer draws", n.Name())
			}
		}
	}
}

func TestNewModelRefusesWhatCannotBeBuilt(t *testing.T) {
	for _, c := range []struct {
		change func(*train.Spec)
		words  []string
	}{
		{func(s *train.Spec) { s.Task = datasets.AutoTask }, []string{"task", "auto", "classification", "regression"}},
		{func(s *train.Spec) { s.Inputs = 0 }, []string{"0 inputs", "at least 1"}},
		{func(s *train.Spec) { s.Outputs = 1 }, []string{"1 classes", "at least 2"}},
		{func(s *train.Spec) { s.Task, s.Outputs = datasets.Regression, 0 }, []string{"0 outputs", "at least 1"}},
		{func(s *train.Spec) { s.Hidden = []int{4, -1} }, []string{"hidden layer 2", "-1", "at least 1"}},
		{func(s *train.Spec) { s.Hidden = []int{1 << 40} }, []string{"parameters", "1099511627776", "at most 1073741824"}},
		{func(s *train.Spec) { s.Hidden = []int{math.MaxInt, math.MaxInt} }, []string{"parameters", "at most"}},
		{func(s *train.Spec) { s.Dtype = tensor.Int }, []string{"dtype", "int", "float32", "float64"}},
		{func(s *train.Spec) { s.Impl = "magic" }, []string{"impl", "magic", "fused", "builtin"}},
		{func(s *train.Spec) { s.Machine = "lisp" }, []string{"machine", "lisp", "ours", "tape"}},
	} {
		s := smallSpec()
		c.change(&s)
		_, err := train.NewModel(s)
		wantError(t, fmt.Sprint(c.words[0]), err, append(c.words, "new model")...)
	}
}

// A row's outputs do not depend on the rows that come with it, nor on how many
// chunks there are.
func TestForwardTakesAnyNumberOfRows(t *testing.T) {
	for _, impl := range []string{train.Fused, train.Builtin} {
		for _, machine := range []string{train.OurMachine, train.TapeMachine} {
			s := smallSpec()
			s.Impl, s.Machine = impl, machine
			m, err := train.NewModel(s)
			nettest.Must(t, err)
			x := nettest.Numbers(nettest.Waves(tensor.Float64, 2, 600, 3))
			all, err := m.Forward(x)
			nettest.Must(t, err)
			for _, n := range []int{0, 1, 2, 255, 256, 257, 512, 513, 600} {
				part, err := m.Forward(x[:3*n])
				nettest.Must(t, err)
				if !slices.Equal(part, all[:2*n]) {
					t.Errorf("%s, %s: outputs of %d rows differ from those of the first of 600", impl, machine, n)
				}
			}
		}
	}
}

func TestForwardIsTheFunctionOfItsWeights(t *testing.T) {
	s := smallSpec()
	s.Dtype = tensor.Float64
	m, err := train.NewModel(s)
	nettest.Must(t, err)
	at := func(name string, i, j int) float64 {
		w := m.Weights()[name]
		if w.Dims() == 1 {
			return w.Float64s()[j]
		}
		return w.Float64s()[i*w.Shape()[1]+j]
	}
	x := []float64{0.3, -1.2, 2.5}
	var h [4]float64
	for j := range h {
		z := at("linear1.bias", 0, j)
		for i := range x {
			z += x[i] * at("linear1.weight", i, j)
		}
		h[j] = math.Tanh(z)
	}
	y, err := m.Forward(x)
	nettest.Must(t, err)
	for j := range y {
		want := at("linear2.bias", 0, j)
		for i := range h {
			want += h[i] * at("linear2.weight", i, j)
		}
		if math.Abs(y[j]-want) > 1e-14*(1+math.Abs(want)) {
			t.Errorf("output %d is %v, want %v", j, y[j], want)
		}
	}
}

func TestForwardRefusesRowsOfAnotherWidth(t *testing.T) {
	m, err := train.NewModel(smallSpec())
	nettest.Must(t, err)
	_, err = m.Forward(make([]float64, 7))
	wantError(t, "7 values", err, "7 values", "rows of 3")
}

func TestSetWeightsTakesWhatWeightsGive(t *testing.T) {
	s := smallSpec()
	a, err := train.NewModel(s)
	nettest.Must(t, err)
	s.Seed++
	b, err := train.NewModel(s)
	nettest.Must(t, err)
	nettest.Must(t, b.SetWeights(a.Weights()))
	for name, w := range a.Weights() {
		if !nettest.SameNumbers(w, b.Weights()[name]) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestSetWeightsRefusesOthers(t *testing.T) {
	m, err := train.NewModel(smallSpec())
	nettest.Must(t, err)
	for what, c := range map[string]struct {
		change func(map[string]*tensor.Dense)
		words  []string
	}{
		"missing": {func(w map[string]*tensor.Dense) { delete(w, "linear2.bias") }, []string{"linear2.bias", "missing"}},
		"other shape": {func(w map[string]*tensor.Dense) { w["linear1.weight"] = nettest.Waves(tensor.Float32, 1, 4, 3) },
			[]string{"linear1.weight", "(4, 3)", "(3, 4)"}},
		"other dtype": {func(w map[string]*tensor.Dense) { w["linear1.bias"] = nettest.Waves(tensor.Float64, 1, 4) },
			[]string{"linear1.bias", "float64", "float32"}},
		"unknown": {func(w map[string]*tensor.Dense) { w["linear3.bias"] = nettest.Waves(tensor.Float32, 1, 4) },
			[]string{"linear3.bias", "none of the model's"}},
	} {
		weights := m.Weights()
		c.change(weights)
		before := nettest.Numbers(m.Weights()["linear1.weight"])
		wantError(t, what, m.SetWeights(weights), c.words...)
		if !slices.Equal(before, nettest.Numbers(m.Weights()["linear1.weight"])) {
			t.Errorf("%s: weights changed", what)
		}
	}
}

// savedModel trains and returns the bytes of the model file.
func savedModel(t *testing.T, dataset string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model")
	c := smallConfig(t, dataset)
	c.Hidden, c.Epochs = []int{3}, 1
	nettest.Must(t, fit(t, c).Save(path))
	data, err := os.ReadFile(path)
	nettest.Must(t, err)
	return data
}

// load writes the bytes to a file and loads it.
func load(t testing.TB, data []byte) (*train.Predictor, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.safetensors")
	nettest.Must(t, os.WriteFile(path, data, 0o644))
	return train.LoadPredictor(path)
}

// withHeader replaces the header of a safetensors file.
func withHeader(data []byte, change func(header map[string]any)) []byte {
	n := binary.LittleEndian.Uint64(data)
	var header map[string]any
	if err := json.Unmarshal(data[8:8+n], &header); err != nil {
		panic(err)
	}
	change(header)
	text, err := json.Marshal(header)
	if err != nil {
		panic(err)
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
	return sealed(append(append(out, text...), data[8+n:]...))
}

// sealed gives a safetensors file the checksum of its content, if it has one.
func sealed(data []byte) []byte {
	const key = `"affine.checksum":"`
	i := bytes.Index(data, []byte(key)) + len(key)
	if i < len(key) || len(data) < i+64 {
		return data
	}
	copy(data[i:i+64], strings.Repeat("0", 64))
	sum := sha256.Sum256(data)
	hex.Encode(data[i:i+64], sum[:])
	return data
}

// withJSON changes an object in JSON.
func withJSON(text string, change func(m map[string]any)) string {
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		panic(err)
	}
	change(m)
	out, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(out)
}

func TestSafetensorsAreLaidOutAsDocumented(t *testing.T) {
	data := savedModel(t, "moons")
	n := binary.LittleEndian.Uint64(data)
	var header map[string]struct {
		Dtype   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	nettest.Must(t, json.Unmarshal(data[8:8+n], &header))
	for name, shape := range map[string][]int{
		"linear1.weight": {2, 3}, "linear1.bias": {3}, "linear2.weight": {3, 2}, "linear2.bias": {2},
	} {
		if h := header[name]; h.Dtype != "F32" || !slices.Equal(h.Shape, shape) {
			t.Errorf("%s is %s of shape %v, want F32 of shape %v", name, h.Dtype, h.Shape, shape)
		}
	}
	p, err := load(t, data)
	nettest.Must(t, err)
	h := header["linear1.weight"]
	var weights [6]float32
	nettest.Must(t, binary.Read(bytes.NewReader(data[8+int(n)+h.Offsets[0]:]), binary.LittleEndian, &weights))
	if !slices.Equal(weights[:], weightsOf(t, p)["linear1.weight"].Float32s()) {
		t.Errorf("linear1.weight holds %v, the model %v", weights, weightsOf(t, p)["linear1.weight"])
	}
}

func TestSavingIsDeterministic(t *testing.T) {
	p, err := load(t, savedModel(t, "friedman1"))
	nettest.Must(t, err)
	path := filepath.Join(t.TempDir(), "again")
	var first []byte
	for range 20 {
		nettest.Must(t, p.Save(path))
		data, err := os.ReadFile(path)
		nettest.Must(t, err)
		if first == nil {
			first = data
		}
		if !bytes.Equal(data, first) {
			t.Fatal("two files of one model differ")
		}
	}
}

// A file that cannot be written anew stays as it was.
func TestAFailedSaveLeavesTheOldFile(t *testing.T) {
	tr := newTrainer(t, smallConfig(t, "moons"))
	p, err := tr.Predictor()
	nettest.Must(t, err)
	path := filepath.Join(t.TempDir(), "model")
	nettest.Must(t, p.Save(path))
	before, err := os.ReadFile(path)
	nettest.Must(t, err)
	tr.Model().Weights()["linear1.bias"].Float32s()[0]++
	p, err = tr.Predictor()
	nettest.Must(t, err)
	restore := atomicfile.Use(&atomicfiletest.Failing{Budget: len(before) / 2})
	err = p.Save(path)
	restore()
	wantError(t, "save", err, path, atomicfiletest.ErrDiskFull.Error())
	after, err := os.ReadFile(path)
	nettest.Must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the old file is gone")
	}
}

func TestEveryTruncationOfAModelIsRefused(t *testing.T) {
	data := savedModel(t, "sine")
	path := filepath.Join(t.TempDir(), "model.safetensors")
	for n := range data {
		nettest.Must(t, os.WriteFile(path, data[:n], 0o644))
		_, err := train.LoadPredictor(path)
		wantError(t, "truncated", err, "load predictor: ", path)
		if t.Failed() {
			t.Fatalf("with %d of %d bytes", n, len(data))
		}
	}
	_, err := load(t, append(slices.Clone(data), 0))
	wantError(t, "one byte more", err, "model.safetensors")
}

func TestLoadPredictorSaysWhatIsWrong(t *testing.T) {
	data := savedModel(t, "moons")
	model := func(change func(m map[string]any)) []byte {
		return withHeader(data, func(h map[string]any) {
			texts := h["__metadata__"].(map[string]any)
			texts["affine.model"] = withJSON(texts["affine.model"].(string), change)
		})
	}
	nan := slices.Clone(data)
	copy(nan[len(nan)-4:], []byte{0, 0, 0xc0, 0x7f})
	nan = sealed(nan)
	for what, c := range map[string]struct {
		data  []byte
		words []string
	}{
		"empty":        {nil, []string{"empty"}},
		"short":        {data[:5], []string{"byte 5", "header's length"}},
		"text":         {[]byte("weights: 1, 2, 3\n"), []string{"not safetensors"}},
		"foreign":      {withHeader(data, func(h map[string]any) { delete(h, "__metadata__") }), []string{"affine.model", "not a model"}},
		"half floats":  {withHeader(data, func(h map[string]any) { h["linear1.weight"].(map[string]any)["dtype"] = "F16" }), []string{"header"}},
		"no weight":    {withHeader(data, func(h map[string]any) { h["other"] = h["linear2.weight"]; delete(h, "linear2.weight") }), []string{"linear2.weight", "missing"}},
		"no bias":      {withHeader(data, func(h map[string]any) { h["other"] = h["linear2.bias"]; delete(h, "linear2.bias") }), []string{"linear2.bias", "missing"}},
		"widths":       {model(func(m map[string]any) { m["widths"] = []int{2, 4, 2} }), []string{"linear1.weight", "(2, 3)", "[2 4]"}},
		"huge":         {model(func(m map[string]any) { m["widths"] = []int{2, 1 << 60, 2} }), []string{"linear1.weight", "(2, 3)"}},
		"no widths":    {model(func(m map[string]any) { m["widths"] = []int{2} }), []string{"widths", "[2]"}},
		"activation":   {model(func(m map[string]any) { m["activation"] = "rely" }), []string{`"rely"`, "relu"}},
		"dtype":        {model(func(m map[string]any) { m["dtype"] = "int8" }), []string{`"int8"`, "float32"}},
		"other dtype":  {model(func(m map[string]any) { m["dtype"] = "float64" }), []string{"float32", "float64"}},
		"task":         {model(func(m map[string]any) { m["task"] = "regression" }), []string{"regression", "classification"}},
		"no scaler":    {model(func(m map[string]any) { delete(m, "features") }), []string{"scaler", "2 features"}},
		"target scale": {model(func(m map[string]any) { m["targets"] = m["features"] }), []string{"scaler"}},
		"unknown":      {model(func(m map[string]any) { m["weather"] = "fine" }), []string{"weather"}},
		"not finite":   {nan, []string{"weights", "not finite"}},
	} {
		_, err := load(t, c.data)
		wantError(t, what, err, append(slices.Clone(c.words), "load predictor: ", "model.safetensors")...)
	}
	_, err := train.LoadPredictor(filepath.Join(t.TempDir(), "none"))
	wantError(t, "missing", err, "none")
}

// A checkpoint is no model: the message says what of it is too much.
func TestACheckpointIsNotTakenForAModel(t *testing.T) {
	dir := t.TempDir()
	fit(t, smallConfig(t, "moons"), train.InDirectory(dir))
	_, err := train.LoadPredictor(filepath.Join(dir, train.CheckpointFile))
	wantError(t, "checkpoint", err, train.CheckpointFile, "none of the model's")
	if err != nil && !strings.Contains(err.Error(), "best.") {
		t.Errorf("%v does not name a tensor that is too much", err)
	}
}

func TestLayersAreThoseOfTheWeights(t *testing.T) {
	m, err := train.NewModel(train.Spec{Task: datasets.Regression, Inputs: 7, Outputs: 1, Hidden: []int{5, 3}, Activation: layer.GELU})
	nettest.Must(t, err)
	weights, parameters := m.Weights(), 0
	for i, l := range m.Layers() {
		w, b := weights[l.Name+".weight"], weights[l.Name+".bias"]
		if w == nil || b == nil || !slices.Equal(w.Shape(), []int{l.Inputs, l.Outputs}) || b.Size() != l.Outputs ||
			l.Parameters != w.Size()+b.Size() || l.FLOP != 2*w.Size() || l.Activation != []string{"gelu", "gelu", "identity"}[i] {
			t.Errorf("layer %d is %+v, its weights are %v and %v", i, l, w, b)
		}
		parameters += l.Parameters
	}
	if parameters != m.Parameters() || len(m.Layers()) != 3 {
		t.Errorf("%d parameters in %d layers, want %d in 3", parameters, len(m.Layers()), m.Parameters())
	}
}
