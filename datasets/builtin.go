package datasets

import (
	"bytes"
	_ "embed"
	"fmt"
	"math/rand/v2"
	"slices"
)

// DefaultName is the dataset to use when none is named.
const DefaultName = "moons"

// Info describes a built-in dataset.
type Info struct {
	Name         string   `json:"name"`
	Summary      string   `json:"summary"`
	Task         Task     `json:"task"`
	Features     []string `json:"features"`
	TargetName   string   `json:"target"`
	Classes      []string `json:"classes,omitempty"`
	ImageShape   [2]int   `json:"image_shape"` // height and width; zero if the rows are not images
	Rows         int      `json:"rows"`        // if Options.N is 0
	Fixed        bool     `json:"fixed"`       // measured data: neither rows nor noise can be chosen
	Noise        float64  `json:"noise"`       // if Options.Noise is nil
	NoiseMeaning string   `json:"noise_meaning,omitempty"`
	Formula      string   `json:"formula"`
	Source       string   `json:"source"`
}

// builtin is a row of the table of built-in datasets.
type builtin struct {
	info     *Info
	generate func(n int, noise float64, seed uint64) (*Dataset, error)
}

var builtins = []builtin{
	{&moonsInfo, Moons},
	{&circlesInfo, Circles},
	{&blobsInfo, Blobs},
	{&spiralsInfo, Spirals},
	{&xorInfo, XOR},
	{&linearInfo, Linear},
	{&sineInfo, Sine},
	{&friedman1Info, Friedman1},
	{&irisInfo, func(int, float64, uint64) (*Dataset, error) { return Iris() }},
	{&glyphsInfo, Glyphs},
}

// Names lists the built-in datasets.
func Names() []string {
	names := make([]string, len(builtins))
	for i, b := range builtins {
		names[i] = b.info.Name
	}
	return names
}

// Describe returns what is known of a built-in dataset, or an
// [*UnknownNameError].
func Describe(name string) (Info, error) {
	b, err := find(name)
	if err != nil {
		return Info{}, err
	}
	info := *b.info
	info.Features = slices.Clone(info.Features)
	info.Classes = slices.Clone(info.Classes)
	return info, nil
}

func find(name string) (builtin, error) {
	for _, b := range builtins {
		if b.info.Name == name {
			return b, nil
		}
	}
	return builtin{}, unknownName(name, Names())
}

// Load makes a built-in dataset. A name that is not one of [Names] gives an
// [*UnknownNameError]; an option that the dataset does not have gives an error
// that matches [ErrUsage].
func Load(name string, opts Options) (*Dataset, error) {
	b, err := find(name)
	if err != nil {
		return nil, err
	}
	if err := opts.onlyCSV(name); err != nil {
		return nil, err
	}
	if opts.Target != "" || opts.Task != AutoTask {
		return nil, usagef("%s: target and task can be chosen for files only, not for a built-in dataset", name)
	}
	if b.info.Fixed && (opts.N != 0 || opts.Noise != nil) {
		return nil, usagef("%s: rows and noise cannot be chosen, the dataset is %d measured rows", name, b.info.Rows)
	}
	n, noise := b.info.Rows, b.info.Noise
	if opts.N != 0 {
		n = opts.N
	}
	if opts.Noise != nil {
		noise = *opts.Noise
	}
	d, err := b.generate(n, noise, opts.Seed)
	if err != nil {
		return nil, err
	}
	return opts.conform(d)
}

// maxValues bounds a generated table to what memory can hold: 8 GiB.
const maxValues = 1 << 30

// newDataset returns a dataset of n rows of zeros and the generator to fill it
// with, or an error if n or noise make no sense.
func newDataset(info *Info, n int, noise float64, seed uint64) (*Dataset, *rand.Rand, error) {
	if n < 1 {
		return nil, nil, usagef("%s: %d rows, want at least 1", info.Name, n)
	}
	if most := maxValues / len(info.Features); n > most {
		return nil, nil, usagef("%s: %d rows, want at most %d", info.Name, n, most)
	}
	if !(noise >= 0) || !finite(noise) {
		return nil, nil, usagef("%s: noise is %v, want a finite number ≥ 0", info.Name, noise)
	}
	d := &Dataset{
		Name:       info.Name,
		Task:       info.Task,
		Features:   slices.Clone(info.Features),
		Classes:    slices.Clone(info.Classes),
		TargetName: info.TargetName,
		ImageShape: info.ImageShape,
		X:          make([]float64, n*len(info.Features)),
		Y:          make([]float64, n),
	}
	return d, newRand(seed, generatorStream), nil
}

// The second word of PCG's seed, so that generating, splitting and batching
// with one seed draw from different streams.
const (
	generatorStream = 1 + iota
	splitStream
	samplerStream
)

func newRand(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// addNoise adds σ·N(0, 1) to each value.
func addNoise(values []float64, sigma float64, rng *rand.Rand) {
	if sigma == 0 {
		return
	}
	for i := range values {
		values[i] += sigma * rng.NormFloat64()
	}
}

// shuffle puts the rows in random order.
func (d *Dataset) shuffle(rng *rand.Rand) {
	rng.Shuffle(d.Len(), func(i, j int) {
		d.Y[i], d.Y[j] = d.Y[j], d.Y[i]
		a, b := d.Row(i), d.Row(j)
		for k := range a {
			a[k], b[k] = b[k], a[k]
		}
	})
}

//go:embed iris.csv
var irisCSV []byte

var irisInfo = Info{
	Name:       "iris",
	Summary:    "150 flowers of three species, measured",
	Task:       Classification,
	Features:   []string{"sepal length", "sepal width", "petal length", "petal width"},
	TargetName: "species",
	Classes:    []string{"setosa", "versicolor", "virginica"},
	Rows:       150,
	Fixed:      true,
	Formula:    "measured by Anderson, in centimetres: 50 flowers of each species",
	Source:     "Fisher 1936, The use of multiple measurements in taxonomic problems; values as in scikit-learn's load_iris",
}

// Iris returns the 150 irises that E. Anderson measured and R. A. Fisher
// published in "The use of multiple measurements in taxonomic problems", Annals
// of Eugenics 7 (1936): sepal and petal length and width in centimetres, 50
// flowers of each of three species, in Fisher's order.
//
// Rows 35 and 38, counted from 1, are (4.9, 3.1, 1.5, 0.2) and (4.9, 3.6, 1.4,
// 0.1) as Fisher printed them and as scikit-learn's load_iris has them. The
// widespread copy of the UCI repository differs there: (4.9, 3.1, 1.5, 0.1) and
// (4.9, 3.1, 1.5, 0.1).
func Iris() (*Dataset, error) {
	d, err := ReadCSV(bytes.NewReader(irisCSV), irisInfo.Name, Options{})
	if err != nil {
		return nil, fmt.Errorf("embedded data: %w", err)
	}
	d.Table = nil // numbers alone
	return d, nil
}
