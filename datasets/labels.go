package datasets

import (
	"math"
	"slices"
	"strconv"
)

// maxNumberClasses is how many different whole numbers are taken for classes
// where the task is not said.
const maxNumberClasses = 20

// numbersAreClasses is the rule for targets that are all numbers, as the
// docstring of Options.Task states it.
func numbersAreClasses(y []float64) bool {
	distinct := map[float64]bool{}
	for _, v := range y {
		if v != math.Trunc(v) {
			return false
		}
		distinct[v] = true
		if len(distinct) > maxNumberClasses {
			return false
		}
	}
	return 2*len(distinct) <= len(y)
}

// numberLabel returns the class name of a number: 1 and 1.0 are both "1".
func numberLabel(v float64) string {
	return strconv.FormatFloat(v+0, 'g', -1, 64) // + 0 makes 0 of −0
}

// classesOfNumbers replaces each number by the index of its class and returns
// the classes' names, in the numbers' order.
func classesOfNumbers(y []float64) []string {
	distinct := slices.Clone(y)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	classes := make([]string, len(distinct))
	for i, v := range distinct {
		classes[i] = numberLabel(v)
	}
	for i, v := range y {
		k, _ := slices.BinarySearch(distinct, v)
		y[i] = float64(k)
	}
	return classes
}

// parseNumber reads a finite decimal number.
func parseNumber(s string) (float64, bool) {
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil && finite(v)
}
