package train

import (
	"fmt"
	"math"
	"slices"

	"github.com/affine-go/affine/layer/device"
)

// ClassScores are measures of a classification that show what the accuracy hides
// when classes differ in size. Undefined ones are NaN.
type ClassScores struct {
	// BalancedAccuracy is the mean recall of the classes that have rows.
	BalancedAccuracy float64
	// F1 is the mean over these classes of 2·precision·recall/(precision + recall),
	// 0 for a class that is never predicted right (the macro average).
	F1 float64
	// ROCAUC is the area under the receiver operating characteristic: the
	// probability that a row of a class gets a higher probability of it than a row
	// of another class, ties counting half. For two classes it is that of the
	// second one, for more the mean of one class against the rest.
	ROCAUC float64
	// LogLoss is the mean of −log p of the actual class, p at least 2⁻⁵².
	LogLoss float64
	// CalibrationError is the expected calibration error (Naeini et al. 2015): the
	// mean over rows of |accuracy − confidence| of their bin, in ten bins of equal
	// width by the probability of the predicted class.
	CalibrationError float64
	// Majority is the accuracy of predicting the most frequent class for every row.
	Majority float64
}

// NewClassScores measures probabilities [rows, classes] against the actual class
// of each row, in [0, classes).
func NewClassScores(probabilities device.Matrix[float64], actual []int) (*ClassScores, error) {
	if err := sameLength(probabilities.Rows, len(actual)); err != nil {
		return nil, fmt.Errorf("class scores: %w", err)
	}
	predicted := Argmax(probabilities)
	c, err := NewConfusion(predicted, actual, probabilities.Cols)
	if err != nil {
		return nil, fmt.Errorf("class scores: %w", err)
	}
	s := &ClassScores{BalancedAccuracy: meanDefined(c.Recall()), ROCAUC: rocAUC(probabilities, actual)}
	f1 := c.F1()
	sizes := c.sizes()
	for class, n := range sizes {
		if n == 0 {
			f1[class] = math.NaN()
		}
	}
	s.F1 = meanDefined(f1)
	s.Majority = float64(slices.Max(sizes)) / float64(len(actual))
	var rows, right, confidence [10]float64
	for i, class := range actual {
		p := element(probabilities, i, class)
		s.LogLoss -= math.Log(max(p, 0x1p-52)) / float64(len(actual))
		sure := element(probabilities, i, predicted[i])
		bin := 0
		if sure >= 0 { // not NaN
			bin = min(int(sure*10), 9)
		}
		rows[bin]++
		confidence[bin] += sure
		if predicted[i] == class {
			right[bin]++
		}
	}
	for b := range rows {
		s.CalibrationError += math.Abs(right[b]-confidence[b]) / float64(len(actual))
	}
	return s, nil
}

// F1 returns, for each class, the harmonic mean of precision and recall, 0 for a
// class none of whose rows was predicted right.
func (c Confusion) F1() []float64 {
	f1 := make([]float64, len(c))
	for class, n := range c.sizes() {
		predicted := 0
		for _, row := range c {
			predicted += row[class]
		}
		if right := c[class][class]; right > 0 {
			f1[class] = 2 * float64(right) / float64(n+predicted)
		}
	}
	return f1
}

// sizes returns the rows of each class.
func (c Confusion) sizes() []int {
	sizes := make([]int, len(c))
	for a, row := range c {
		for _, n := range row {
			sizes[a] += n
		}
	}
	return sizes
}

// rocAUC is the area of the last class of two, or the mean of those of all.
func rocAUC(probabilities device.Matrix[float64], actual []int) float64 {
	first := 0
	if probabilities.Cols == 2 {
		first = 1
	}
	var areas []float64
	order := make([]int, len(actual))
	for class := first; class < probabilities.Cols; class++ {
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int {
			x, y := element(probabilities, a, class), element(probabilities, b, class)
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		})
		// The rank sum of the class's rows (Mann and Whitney), ties sharing ranks.
		ranks, members := 0.0, 0.0
		for lo := 0; lo < len(order); {
			hi := lo
			for hi < len(order) && element(probabilities, order[hi], class) == element(probabilities, order[lo], class) {
				hi++
			}
			for _, i := range order[lo:hi] {
				if actual[i] == class {
					ranks += float64(lo+hi+1) / 2
					members++
				}
			}
			if hi == lo { // NaN
				return math.NaN()
			}
			lo = hi
		}
		others := float64(len(order)) - members
		areas = append(areas, (ranks-members*(members+1)/2)/(members*others))
	}
	return meanDefined(areas)
}

// meanDefined returns the mean of the numbers that are not NaN.
func meanDefined(values []float64) float64 {
	sum, n := 0.0, 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum, n = sum+v, n+1
		}
	}
	return sum / n
}

// RMSE returns the root of the mean over all elements of (t − p)². Both matrices
// have the same shape, at least one row and one column.
func RMSE[T device.Float](predicted, target device.Matrix[T]) (float64, error) {
	if err := sameShape(predicted, target); err != nil {
		return 0, fmt.Errorf("root mean squared error: %w", err)
	}
	sum := 0.0
	for i := range target.Rows {
		for j := range target.Cols {
			d := element(target, i, j) - element(predicted, i, j)
			sum += d * d
		}
	}
	return math.Sqrt(sum / float64(target.Rows*target.Cols)), nil
}
