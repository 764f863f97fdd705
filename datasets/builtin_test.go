package datasets

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestLoadGivesWhatDescribeTells(t *testing.T) {
	for _, name := range Names() {
		info, err := Describe(name)
		if err != nil {
			t.Fatal(err)
		}
		d := mustLoad(t, name, Options{Seed: 1})
		if err := d.Check(); err != nil {
			t.Error(err)
		}
		if d.Name != name || d.Task != info.Task || d.Len() != info.Rows || d.TargetName != info.TargetName || d.ImageShape != info.ImageShape {
			t.Errorf("%s: got %q, %v, %d rows, target %q, images %v; described as %+v", name, d.Name, d.Task, d.Len(), d.TargetName, d.ImageShape, info)
		}
		if !slices.Equal(d.Features, info.Features) || !slices.Equal(d.Classes, info.Classes) {
			t.Errorf("%s: features %v and classes %v, described as %v and %v", name, d.Features, d.Classes, info.Features, info.Classes)
		}
		for what, text := range map[string]string{"summary": info.Summary, "formula": info.Formula, "source": info.Source} {
			if text == "" || strings.Contains(text, "\n") {
				t.Errorf("%s: %s is %q, want one line", name, what, text)
			}
		}
		if info.Fixed != (info.NoiseMeaning == "") {
			t.Errorf("%s: fixed %v, noise means %q", name, info.Fixed, info.NoiseMeaning)
		}
	}
}

func TestWhatIsDescribedIsACopy(t *testing.T) {
	a, _ := Describe("iris")
	a.Features[0], a.Classes[0] = "changed", "changed"
	b, _ := Describe("iris")
	if b.Features[0] == "changed" || b.Classes[0] == "changed" {
		t.Errorf("Describe gave its own slices away: %+v", b)
	}
	d := mustLoad(t, "moons", Options{})
	d.Features[0], d.Classes[0] = "changed", "changed"
	if e := mustLoad(t, "moons", Options{}); e.Features[0] == "changed" || e.Classes[0] == "changed" {
		t.Errorf("Load gave its own slices away: %+v", e.Schema())
	}
}

func TestSameSeedSameRowsOtherSeedOtherRows(t *testing.T) {
	for _, name := range Names() {
		info, _ := Describe(name)
		opts := Options{N: 60, Seed: 7}
		if info.Fixed {
			opts.N = 0
		}
		first, again := mustLoad(t, name, opts), mustLoad(t, name, opts)
		if !sameData(first, again) {
			t.Errorf("%s: seed 7 twice gave different rows", name)
		}
		opts.Seed = 8
		if other := mustLoad(t, name, opts); sameData(first, other) != info.Fixed {
			t.Errorf("%s: seeds 7 and 8 gave the same rows: %v", name, !info.Fixed)
		}
	}
}

func TestAnyNumberOfRows(t *testing.T) {
	for _, name := range Names() {
		info, _ := Describe(name)
		if info.Fixed {
			continue
		}
		for _, n := range []int{1, 2, 3, 11, 64} {
			d := mustLoad(t, name, Options{N: n, Seed: 1})
			if err := d.Check(); err != nil || d.Len() != n {
				t.Errorf("%s: %d rows, want %d; %v", name, d.Len(), n, err)
			}
			if counts := d.ClassCounts(); counts != nil && slices.Max(counts)-slices.Min(counts) > 1 {
				t.Errorf("%s: %d rows in classes of %v, want equal classes", name, n, counts)
			}
		}
	}
}

func TestRowsComeInRandomOrder(t *testing.T) {
	for _, name := range []string{"moons", "circles", "blobs", "spirals", "xor", "glyphs"} {
		d := mustLoad(t, name, Options{N: 200, Seed: 1})
		half := d.Subset(numbers(0, 100)).ClassCounts()
		if k := len(half); slices.Min(half) < 50/k {
			t.Errorf("%s: classes of the first 100 of 200 rows: %v", name, half)
		}
	}
}

func TestUnknownNameOffersTheNearest(t *testing.T) {
	for _, c := range []struct{ name, nearest, message string }{
		{"mons", "moons", `no dataset "mons": did you mean "moons", `},
		{"Iris", "iris", `no dataset "Iris": did you mean "iris", `},
		{"freidman", "friedman1", `no dataset "freidman": did you mean "friedman1", `},
		{"glyph", "glyphs", `no dataset "glyph": did you mean "glyphs", `},
		{"data/my.csv", "csv:data/my.csv", `no dataset "data/my.csv": did you mean "csv:data/my.csv"?`},
		{`C:\my.NPZ`, `npz:C:\my.NPZ`, `no dataset "C:\\my.NPZ": did you mean "npz:C:\\my.NPZ"?`},
		{"cvs:my.txt", "csv:FILE", `no dataset "cvs:my.txt": did you mean "csv:FILE", `},
	} {
		_, err := Open(c.name, Options{})
		var unknown *UnknownNameError
		if !errors.As(err, &unknown) || !errors.Is(err, ErrUsage) {
			t.Errorf("%q: error %v, want an UnknownNameError that is ErrUsage", c.name, err)
			continue
		}
		if unknown.Name != c.name || unknown.Nearest[0] != c.nearest || !strings.HasPrefix(err.Error(), c.message) {
			t.Errorf("%q: %v, nearest %q; want %s", c.name, err, unknown.Nearest, c.message)
		}
	}
	if _, err := Describe("mons"); !errors.Is(err, ErrUsage) {
		t.Errorf("Describe: %v, want ErrUsage", err)
	}
}

func TestWrongUseOfBuiltinDatasets(t *testing.T) {
	noise := func(v float64) *float64 { return &v }
	for _, c := range []struct {
		name string
		opts Options
		want string
	}{
		{"moons", Options{N: -1}, "moons: -1 rows, want at least 1"},
		{"moons", Options{N: 1 << 30}, "moons: 1073741824 rows, want at most 536870912"},
		{"sine", Options{Noise: noise(-0.5)}, "sine: noise is -0.5, want a finite number ≥ 0"},
		{"glyphs", Options{Noise: noise(math.NaN())}, "glyphs: noise is NaN, want a finite number ≥ 0"},
		{"xor", Options{Noise: noise(math.Inf(1))}, "xor: noise is +Inf, want a finite number ≥ 0"},
		{"iris", Options{N: 10}, "iris: rows and noise cannot be chosen, the dataset is 150 measured rows"},
		{"iris", Options{Noise: noise(0)}, "iris: rows and noise cannot be chosen, the dataset is 150 measured rows"},
		{"moons", Options{Target: "x1"}, "moons: target and task can be chosen for files only, not for a built-in dataset"},
		{"moons", Options{Task: Regression}, "moons: target and task can be chosen for files only, not for a built-in dataset"},
		{"csv:", Options{}, `"csv:" names no file, want "csv:FILE", "npz:FILE" or "idx:DIR"`},
	} {
		_, err := Open(c.name, c.opts)
		if err == nil || err.Error() != c.want || !errors.Is(err, ErrUsage) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}

// The rows and noise of the classification datasets leave the task learnable:
// a vote of the 5 nearest neighbours among the training rows reaches the
// accuracy that a trained network is held to.
func TestDefaultsLeaveClassificationLearnable(t *testing.T) {
	for name, want := range map[string]float64{"moons": 0.97, "circles": 0.97, "blobs": 0.97, "spirals": 0.95, "xor": 0.98, "iris": 0.93} {
		d := mustLoad(t, name, Options{Seed: 1})
		parts, err := Split(d, DefaultFractions, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := nearestNeighbours(parts.Train, parts.Test, 5); got < want {
			t.Errorf("%s: nearest neighbours get %.3f of the test part right, want %.2f", name, got, want)
		}
	}
}

func nearestNeighbours(train, test *Dataset, k int) (accuracy float64) {
	for i := range test.Len() {
		order, distance := numbers(0, train.Len()), make([]float64, train.Len())
		for j := range distance {
			for c, v := range test.Row(i) {
				distance[j] += (v - train.Row(j)[c]) * (v - train.Row(j)[c])
			}
		}
		slices.SortFunc(order, func(a, b int) int { return slices.Compare(distance[a:a+1], distance[b:b+1]) })
		votes := train.Subset(order[:k]).ClassCounts()
		if slices.Index(votes, slices.Max(votes)) == int(test.Y[i]) {
			accuracy += 1 / float64(test.Len())
		}
	}
	return accuracy
}

// No model can explain the noise: R² is at most 1 − noise²/variance. The
// default noise leaves room above what a trained network is held to.
func TestDefaultsLeaveRegressionLearnable(t *testing.T) {
	for name, want := range map[string]float64{"linear": 0.99, "sine": 0.98, "friedman1": 0.9} {
		info, _ := Describe(name)
		s, err := FitScaler(Standard, mustLoad(t, name, Options{Seed: 1}).Y, 1)
		if err != nil {
			t.Fatal(err)
		}
		ceiling := 1 - math.Pow(info.Noise/s.scale[0], 2)
		if margin := (ceiling - want) / (1 - want); margin < 0.5 {
			t.Errorf("%s: R² is at most %.4f, too near to %v", name, ceiling, want)
		}
	}
}

func TestQuoteListCountsWhatIsTooMuch(t *testing.T) {
	for n, want := range map[int]string{
		0:   ``,
		1:   `"0"`,
		2:   `"0" or "1"`,
		3:   `"0", "1" or "2"`,
		10:  `"0", "1", "2", "3", "4", "5", "6", "7", "8" or "9"`,
		784: `"0", "1", "2", "3", "4", "5", "6", "7", "8", "9" or 774 more`,
	} {
		if got := quoteList(numbered("", 0, n), "or"); got != want {
			t.Errorf("%d items: %s, want %s", n, got, want)
		}
	}
}

func TestInfoAsJSON(t *testing.T) {
	info, _ := Describe("iris")
	text, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	var back Info
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(back) != fmt.Sprint(info) || !strings.Contains(string(text), `"task":"classification"`) {
		t.Errorf("got %s", text)
	}
}
