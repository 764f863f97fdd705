package ranks_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/internal/ranks"
)

// process is a rank that is a goroutine.
type process struct {
	rank, size int
	all        *meeting
}

// meeting is where the processes of a group hand out what they have.
type meeting struct {
	mutex   sync.Mutex
	come    sync.Cond
	brought []any
	n, turn int
}

// swap returns what all processes brought, when all have come.
func (p *process) swap(mine any) []any {
	m := p.all
	m.mutex.Lock()
	defer m.mutex.Unlock()
	turn := m.turn
	if m.n == 0 {
		m.brought = make([]any, p.size)
	}
	brought := m.brought
	brought[p.rank] = mine
	if m.n++; m.n == p.size {
		m.n = 0
		m.turn++
		m.come.Broadcast()
	}
	for m.turn == turn {
		m.come.Wait()
	}
	return brought
}

func (p *process) Rank() int { return p.rank }
func (p *process) Size() int { return p.size }

func (p *process) Broadcast(from int, data []byte) ([]byte, error) {
	return bytes.Clone(p.swap(data)[from].([]byte)), nil
}

func (p *process) Sum32(x []float32) error { return sum(p, x) }
func (p *process) Sum64(x []float64) error { return sum(p, x) }

func sum[T float32 | float64](p *process, x []T) error {
	var total func(all []any) []T
	total = func(all []any) []T {
		if len(all) == 1 {
			return append([]T(nil), all[0].([]T)...)
		}
		a, b := total(all[:len(all)/2]), total(all[len(all)/2:])
		for i := range a {
			a[i] += b[i]
		}
		return a
	}
	result := total(p.swap(x))
	p.swap(nil) // all have read
	copy(x, result)
	return nil
}

// together runs f in each of size processes and returns their errors.
func together(size int, f func(g ranks.Group) error) []error {
	m := &meeting{}
	m.come.L = &m.mutex
	errs := make([]error, size)
	var all sync.WaitGroup
	for rank := range size {
		all.Go(func() { errs[rank] = f(&process{rank, size, m}) })
	}
	all.Wait()
	return errs
}

func TestASumOverLeavesIsThatOfTheTreeForAnyNumberOfProcesses(t *testing.T) {
	const leaves = 8
	lengths := []int{3, 1, 40}
	leaf := func(i int) (parts [][]float32, number float32, err error) {
		if i == 3 || i == 6 {
			return nil, 0, nil // no rows
		}
		r := rand.New(rand.NewPCG(uint64(i), 1))
		for _, n := range lengths {
			part := make([]float32, n)
			for j := range part {
				part[j] = float32(r.NormFloat64() * math.Exp(6*r.NormFloat64()))
			}
			part[0] = float32(math.Copysign(0, -1)) // whose sum with 0 is 0
			parts = append(parts, part)
		}
		return parts, float32(i) + 0.1, nil
	}
	bits := func(size int) string {
		var text string
		for rank, err := range together(size, func(g ranks.Group) error {
			tree, err := ranks.NewTree(g, leaves, lengths, 2, func(n int) ([]float32, error) { return make([]float32, n), nil })
			if err != nil {
				return err
			}
			for range 2 { // the second time nothing may be left of the first
				if err := tree.Sum(leaf, func(extra []float32) { extra[1]++ }); err != nil {
					return err
				}
			}
			mine := fmt.Sprintf("%x", tree.Extra()[0])
			for i, n := range lengths {
				for _, x := range tree.Part(i, n) {
					mine += fmt.Sprintf(" %x", math.Float32bits(x))
				}
			}
			if got := tree.Extra()[1]; got != float32(g.Size()) {
				return fmt.Errorf("rank %d: %v processes added 1", g.Rank(), got)
			}
			if g.Rank() == 0 {
				text = mine
			}
			return nil
		}) {
			if err != nil {
				t.Errorf("rank %d of %d: %v", rank, size, err)
			}
		}
		return text
	}
	want := bits(1)
	for _, size := range []int{2, 4, 8} {
		if got := bits(size); got != want {
			t.Errorf("%d processes give\n%s\nwant\n%s", size, got, want)
		}
	}
}

func TestAnErrorOfOneProcessIsThatOfAll(t *testing.T) {
	own := errors.New("no such file")
	for rank, err := range together(3, func(g ranks.Group) error {
		if g.Rank() == 1 {
			return ranks.Agree(g, own)
		}
		return ranks.Agree(g, nil)
	}) {
		if err == nil || rank == 1 && !errors.Is(err, own) || rank != 1 && err.Error() != "rank 1: no such file" {
			t.Errorf("rank %d: got error %v", rank, err)
		}
	}
}

func TestProcessesThatDifferAreToldInWhat(t *testing.T) {
	for _, facts := range [][]ranks.Fact{
		{{"seed", "1"}, {"kernels", "avx2"}},
		{{"seed", "1"}},
		{{"seed", "1"}, {"kernels", "avx512"}, {"clip", "3"}},
	} {
		for rank, err := range together(2, func(g ranks.Group) error {
			if g.Rank() == 1 {
				return ranks.Same(g, facts)
			}
			return ranks.Same(g, []ranks.Fact{{"seed", "1"}, {"kernels", "avx512"}})
		}) {
			if err == nil || !strings.Contains(err.Error(), "rank 0 has ") || rank == 0 && !strings.Contains(err.Error(), "rank 1: ") {
				t.Errorf("rank %d: got error %v", rank, err)
			}
		}
	}
}

func TestSharesOfRowsMeetAndAreGatheredInOrder(t *testing.T) {
	for _, err := range together(4, func(g ranks.Group) error {
		for n := range 11 {
			lo, hi := ranks.Share(g, n)
			var mine []float64
			for i := lo; i < hi; i++ {
				mine = append(mine, float64(i))
			}
			all, err := ranks.Gather(g, mine)
			if err != nil || len(all) != n {
				return fmt.Errorf("got %v of %d rows, error %v", all, n, err)
			}
			for i, x := range all {
				if x != float64(i) {
					return fmt.Errorf("row %d is %v", i, x)
				}
			}
		}
		return nil
	}) {
		if err != nil {
			t.Error(err)
		}
	}
}

// configs are trainings with a last batch that is short, of fewer rows than
// micro-batches too.
func configs(t *testing.T) map[string]train.Config {
	t.Helper()
	list := map[string]train.Config{}
	add := func(name, dataset string, change func(c *train.Config)) {
		c := train.DefaultConfig(dataset, nil)
		c.Device, c.Seed, c.Epochs, c.Microbatches = "cpu", 1, 3, 4
		change(&c)
		list[name] = c
	}
	add("moons", "moons", func(c *train.Config) { c.Rows, c.Batch = 103, 32 })
	add("moons in float64", "moons", func(c *train.Config) {
		c.Rows, c.Batch, c.Dtype, c.ClipNorm, c.Schedule = 203, 20, "float64", 0.1, "one-cycle"
	})
	add("one row left", "moons", func(c *train.Config) { c.Rows, c.Batch, c.ClipValue = 100, 23, 0.01 })
	add("regression with early stopping", "sine", func(c *train.Config) {
		c.Rows, c.Batch, c.Optimizer, c.Patience, c.Epochs, c.MinDelta = 100, 8, "sgd", 2, 20, 0.05
	})
	add("dropout", "moons", func(c *train.Config) { c.Rows, c.Batch, c.Dropout = 100, 32, 0.25 })
	add("built-in ops on the tape", "moons", func(c *train.Config) {
		c.Rows, c.Batch, c.Impl, c.Machine = 100, 32, train.Builtin, train.TapeMachine
	})
	return list
}

// fit trains in a number of processes and returns the directory of the run.
func fit(t *testing.T, size int, c train.Config, dir string, opts ...train.FitOption) {
	t.Helper()
	for rank, err := range together(size, func(g ranks.Group) error {
		run, err := train.Fit(t.Context(), c, append([]train.FitOption{train.InDirectory(dir), train.WithRanks(g)}, opts...)...)
		if err == nil {
			run.Close()
		}
		return err
	}) {
		if err != nil {
			t.Fatalf("rank %d of %d: %v", rank, size, err)
		}
	}
}

// same fails if files of two runs differ.
func same(t *testing.T, a, b string) {
	t.Helper()
	for _, name := range []string{train.ModelFile, train.CheckpointFile} {
		x, err := os.ReadFile(filepath.Join(a, name))
		if err != nil {
			t.Fatal(err)
		}
		y, err := os.ReadFile(filepath.Join(b, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(x, y) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestARunIsTheSameBytesForAnyNumberOfRanks(t *testing.T) {
	for name, c := range configs(t) {
		t.Run(name, func(t *testing.T) {
			alone := filepath.Join(t.TempDir(), "run")
			fit(t, 1, c, alone)
			for _, size := range []int{2, 4} {
				dir := filepath.Join(t.TempDir(), "run")
				fit(t, size, c, dir)
				same(t, alone, dir)
			}
		})
	}
}

func TestMicroBatchesChangeNoMoreThanLastDigits(t *testing.T) {
	c := configs(t)["moons in float64"]
	c.Dropout = 0.25
	losses := func(microbatches int) []train.EpochRecord {
		c.Microbatches = microbatches
		run, err := train.Fit(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		defer run.Close()
		return run.History.Epochs
	}
	want := losses(1)
	for _, n := range []int{2, 8, 16} {
		for i, got := range losses(n) {
			if d := math.Abs(got.TrainLoss - want[i].TrainLoss); d > 1e-12 {
				t.Errorf("%d micro-batches, epoch %d: loss %v, want %v", n, i+1, got.TrainLoss, want[i].TrainLoss)
			}
		}
	}
}

func TestARunGoesOnWithAnotherNumberOfRanks(t *testing.T) {
	c := configs(t)["moons"]
	whole := filepath.Join(t.TempDir(), "run")
	fit(t, 1, c, whole)
	for _, sizes := range [][2]int{{4, 2}, {1, 4}, {2, 1}} {
		dir := filepath.Join(t.TempDir(), "run")
		for rank, err := range together(sizes[0], func(g ranks.Group) error {
			ctx, cancel := context.WithCancel(t.Context())
			if g.Rank() == g.Size()-1 {
				cancel() // before the first step: all stop after it
			}
			defer cancel()
			run, err := train.Fit(ctx, c, train.InDirectory(dir), train.WithRanks(g))
			if err != nil {
				return err
			}
			defer run.Close()
			if run.Metrics.StoppingReason != train.ReasonInterrupted {
				return fmt.Errorf("ended because %s", run.Metrics.StoppingReason)
			}
			return nil
		}) {
			if err != nil {
				t.Fatalf("rank %d: %v", rank, err)
			}
		}
		fit(t, sizes[1], c, dir, train.Resume())
		same(t, whole, dir)
	}
}

func TestACallbackStopsAllRanks(t *testing.T) {
	c := configs(t)["moons"]
	for rank, err := range together(2, func(g ranks.Group) error {
		stop := train.Callback{Name: "stop", OnStep: func(p *train.Progress) error {
			if g.Rank() != 0 {
				return errors.New("called in another rank than 0")
			}
			p.Stop()
			return nil
		}}
		run, err := train.Fit(t.Context(), c, train.WithRanks(g), train.WithCallbacks(stop))
		if err != nil {
			return err
		}
		defer run.Close()
		if run.Metrics.StoppingReason != train.ReasonCallback || run.Metrics.Steps != 2 {
			return fmt.Errorf("ended because %s, after step %d", run.Metrics.StoppingReason, run.Metrics.Steps)
		}
		return nil
	}) {
		if err != nil {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
}

func TestRanksThatDifferRefuseToTrain(t *testing.T) {
	base := configs(t)["moons"]
	data := func(seed uint64) *datasets.Parts {
		c := base
		c.Seed = seed
		parts, err := c.Load()
		if err != nil {
			t.Fatal(err)
		}
		return &parts
	}
	for _, test := range []struct {
		name   string
		change func(c *train.Config)
		parts  *datasets.Parts // of rank 1
		want   string
	}{
		{"learning rate", func(c *train.Config) { c.LR *= 2 }, data(1), "setting lr is "},
		{"data", func(*train.Config) {}, data(2), "the data's checksum is "},
		{"settings that cannot be", func(c *train.Config) { c.Monitor = train.MonitorValMAE }, data(1), "monitor is "},
	} {
		for rank, err := range together(2, func(g ranks.Group) error {
			c, parts := base, data(1)
			if g.Rank() == 1 {
				test.change(&c)
				parts = test.parts
			}
			_, err := train.Fit(t.Context(), c, train.WithRanks(g), train.WithParts(*parts))
			return err
		}) {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s, rank %d: got error %v", test.name, rank, err)
			}
		}
	}
}

func TestRanksMustDivideTheMicroBatches(t *testing.T) {
	c := configs(t)["moons"]
	for _, test := range []struct{ size, microbatches int }{{2, 1}, {4, 2}, {3, 4}, {2, 0}} {
		c.Microbatches = test.microbatches
		for rank, err := range together(test.size, func(g ranks.Group) error {
			_, err := train.Fit(t.Context(), c, train.WithRanks(g))
			return err
		}) {
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("for %d ranks", test.size)) {
				t.Errorf("%d micro-batches, rank %d: got error %v", test.microbatches, rank, err)
			}
		}
	}
	for _, n := range []int{-1, 3, 64} {
		if c.Microbatches = n; c.Validate() == nil {
			t.Errorf("%d micro-batches of a batch of %d rows are accepted", n, c.Batch)
		}
	}
}
