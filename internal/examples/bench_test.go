package examples

import (
	"fmt"
	"math"
	"testing"
)

// BenchmarkMigration is a training step of two classifiers with each change of
// docs/MIGRATING.md. The program in gains has them take turns.
func BenchmarkMigration(b *testing.B) {
	for _, c := range []struct {
		size   int
		widths []int
	}{{32, []int{2, 16, 16, 2}}, {128, []int{784, 512, 256, 10}}} {
		for _, change := range Changes {
			b.Run(fmt.Sprintf("%dx%v/%s", c.size, c.widths, change.Name), func(b *testing.B) {
				step, _, err := ClassifierStep(change, c.size, c.widths...)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					if err := step(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func TestEveryChangeLeavesTheLossAsItIs(t *testing.T) {
	var want float64
	for _, change := range Changes {
		step, loss, err := ClassifierStep(change, 16, 20, 32, 24, 5)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		got, err := loss()
		if err != nil {
			t.Fatal(err)
		}
		if want == 0 {
			want = got
		}
		if !(math.Abs(got-want) <= 1e-5*want) {
			t.Errorf("%s: the loss of step 20 is %v, want %v", change.Name, got, want)
		}
	}
}
