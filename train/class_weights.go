package train

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// BalancedClassWeights is what Config.ClassWeights may say instead of a list: the
// weight of a class is rows/(classes·rows of the class), as in scikit-learn.
const BalancedClassWeights = "balanced"

// parseClassWeights returns the weight of each class. text is "", "balanced" or a
// list such as "a=1,b=5"; a class that the list does not name has the weight 1.
// actual holds the class of each training row.
func parseClassWeights(text string, classes []string, actual []int) ([]float64, error) {
	switch text {
	case "":
		return nil, nil
	case BalancedClassWeights:
		weights := make([]float64, len(classes))
		for _, class := range actual {
			weights[class]++
		}
		for class, n := range weights {
			if n == 0 {
				return nil, fmt.Errorf("class weights: balanced: class %q has no rows to train on", classes[class])
			}
			weights[class] = float64(len(actual)) / (float64(len(classes)) * n)
		}
		return weights, nil
	}
	weights := slices.Repeat([]float64{1}, len(classes))
	for _, entry := range strings.Split(text, ",") {
		at := strings.LastIndexByte(entry, '=')
		if at < 0 {
			return nil, fmt.Errorf("class weights: %q, want %s or CLASS=WEIGHT,…", entry, BalancedClassWeights)
		}
		name, number := strings.TrimSpace(entry[:at]), strings.TrimSpace(entry[at+1:])
		class := slices.Index(classes, name)
		if class < 0 {
			return nil, fmt.Errorf("class weights: there is no class %q, want some of %s", name, strings.Join(classes, ", "))
		}
		w, err := strconv.ParseFloat(number, 64)
		if err != nil || !(w >= 0) || math.IsInf(w, 0) {
			return nil, fmt.Errorf("class weights: the weight of %q is %q, want a finite number of at least 0", name, number)
		}
		weights[class] = w
	}
	return weights, nil
}

// weigh multiplies the one-hot targets of each row by the weight of its class.
// The cross-entropy, and its gradient, are linear in the targets.
func (p *part) weigh(weights []float64) {
	if weights == nil {
		return
	}
	classes := len(weights)
	for i, class := range p.classes {
		p.targets[i*classes+class] *= weights[class]
	}
}
