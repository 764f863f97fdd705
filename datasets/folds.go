package datasets

import (
	"math/rand/v2"
	"slices"
)

// Folds cuts d into k parts of nearly equal size and returns, for each of them, a
// split that tests on it and trains on the others, of which the fraction
// validation is held out: k-fold cross-validation. In a classification every
// class is spread over all folds. The same dataset, k and seed give the same
// folds.
func Folds(d *Dataset, k int, validation float64, seed uint64) ([]Parts, error) {
	n := d.Len()
	if k < 2 || k > n {
		return nil, usagef("folds: %d of %d rows, want 2 to %d", k, n, n)
	}
	if d.TestFrom > 0 && d.TestFrom < n {
		return nil, usagef("folds: dataset %q has test rows of its own", d.Name)
	}
	order := rand.New(rand.NewPCG(seed, 0)).Perm(n)
	if d.Task == Classification {
		slices.SortStableFunc(order, func(a, b int) int { return int(d.Y[a]) - int(d.Y[b]) })
	}
	folds := make([]Parts, k)
	for f := range folds {
		var test, rest []int
		for i, row := range order {
			if i%k == f {
				test = append(test, row)
			} else {
				rest = append(rest, row)
			}
		}
		slices.Sort(test)
		slices.Sort(rest)
		parts, err := Split(d.Subset(rest), Fractions{Validation: validation}, seed)
		if err != nil {
			return nil, err
		}
		parts.Test = d.Subset(test)
		folds[f] = parts
	}
	return folds, nil
}
