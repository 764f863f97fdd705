package train_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/atomicfile"
	"github.com/affine-go/affine/internal/atomicfile/atomicfiletest"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train"
)

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
