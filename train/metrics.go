package train

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/affine-go/affine/layer/device"
)

// Argmax returns the column of the largest element of each row: the predicted
// class of each row of logits or probabilities, or the class of one-hot
// targets. The first of equals wins; NaN never does unless all are. The matrix
// must be as large as it says.
func Argmax[T device.Float](m device.Matrix[T]) []int {
	classes := make([]int, m.Rows)
	for i := range classes {
		row := m.Data[i*m.Stride : i*m.Stride+m.Cols]
		best := 0
		for j, x := range row {
			if x > row[best] || row[best] != row[best] && x == x {
				best = j
			}
		}
		classes[i] = best
	}
	return classes
}

// Accuracy returns the part of predicted that equals actual, in [0, 1]. Both
// hold one class per row and must be equally long and not empty.
func Accuracy(predicted, actual []int) (float64, error) {
	if err := sameLength(len(predicted), len(actual)); err != nil {
		return 0, fmt.Errorf("accuracy: %w", err)
	}
	right := 0
	for i, class := range predicted {
		if class == actual[i] {
			right++
		}
	}
	return float64(right) / float64(len(predicted)), nil
}

// Confusion counts rows by actual and predicted class: Confusion[a][p] rows of
// class a were predicted to be p.
type Confusion [][]int

// NewConfusion returns the confusion matrix of predicted and actual classes,
// equally long and not empty, each class in [0, classes).
func NewConfusion(predicted, actual []int, classes int) (Confusion, error) {
	if err := sameLength(len(predicted), len(actual)); err != nil {
		return nil, fmt.Errorf("confusion matrix: %w", err)
	}
	c := make(Confusion, max(classes, 0))
	for a := range c {
		c[a] = make([]int, classes)
	}
	for i, a := range actual {
		p := predicted[i]
		if a < 0 || a >= classes || p < 0 || p >= classes {
			return nil, fmt.Errorf("confusion matrix: row %d has class %d predicted as %d, want both in [0, %d)", i, a, p, classes)
		}
		c[a][p]++
	}
	return c, nil
}

// Accuracy returns the trace over the sum of all counts, NaN if there are none.
func (c Confusion) Accuracy() float64 {
	right, all := 0, 0
	for a, row := range c {
		for p, n := range row {
			all += n
			if a == p {
				right += n
			}
		}
	}
	return float64(right) / float64(all)
}

// Recall returns, for each class, the part of its rows that were predicted
// right, NaN for a class without rows.
func (c Confusion) Recall() []float64 {
	recall := make([]float64, len(c))
	for a, row := range c {
		all := 0
		for _, n := range row {
			all += n
		}
		recall[a] = float64(row[a]) / float64(all)
	}
	return recall
}

// Precision returns, for each class, the part of the rows predicted to be of
// it that are, NaN for a class that was never predicted.
func (c Confusion) Precision() []float64 {
	precision := make([]float64, len(c))
	for p := range c {
		all := 0
		for _, row := range c {
			all += row[p]
		}
		precision[p] = float64(c[p][p]) / float64(all)
	}
	return precision
}

// String is a table with one line per actual class.
func (c Confusion) String() string {
	width := len("actual")
	for _, row := range c {
		for _, n := range row {
			width = max(width, len(fmt.Sprint(n)))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%*s", width, "actual")
	for p := range c {
		fmt.Fprintf(&b, " %*d", width, p)
	}
	for a, row := range c {
		fmt.Fprintf(&b, "\n%*d", width, a)
		for _, n := range row {
			fmt.Fprintf(&b, " %*d", width, n)
		}
	}
	return b.String()
}

// R2 returns the coefficient of determination, averaged over the columns:
//
//	R² = 1 − Σ(t − p)²/Σ(t − mean t)²
//
// 1 is a perfect prediction, 0 as good as predicting the mean of the targets.
// For a column whose targets are all equal R² is 1 where every prediction is
// exact and 0 otherwise, as in scikit-learn's r2_score. Both matrices have the
// same shape, one row per sample, at least one of each.
func R2[T device.Float](predicted, target device.Matrix[T]) (float64, error) {
	if err := sameShape(predicted, target); err != nil {
		return 0, fmt.Errorf("R²: %w", err)
	}
	sum := 0.0
	for j := range target.Cols {
		mean := 0.0
		for i := range target.Rows {
			mean += element(target, i, j) / float64(target.Rows)
		}
		residual, total, varies := 0.0, 0.0, false
		for i := range target.Rows {
			t, p := element(target, i, j), element(predicted, i, j)
			residual += (t - p) * (t - p)
			total += (t - mean) * (t - mean)
			varies = varies || t != element(target, 0, j)
		}
		switch {
		case varies || math.IsNaN(residual):
			sum += 1 - residual/total
		case residual == 0:
			sum++
		}
	}
	return sum / float64(target.Cols), nil
}

// MAE returns the mean absolute error, the mean over all elements of |t − p|.
// Both matrices have the same shape, at least one row and one column.
func MAE[T device.Float](predicted, target device.Matrix[T]) (float64, error) {
	if err := sameShape(predicted, target); err != nil {
		return 0, fmt.Errorf("mean absolute error: %w", err)
	}
	sum := 0.0
	for i := range target.Rows {
		for j := range target.Cols {
			sum += math.Abs(element(target, i, j) - element(predicted, i, j))
		}
	}
	return sum / float64(target.Rows*target.Cols), nil
}

func element[T device.Float](m device.Matrix[T], i, j int) float64 {
	return float64(m.Data[i*m.Stride+j])
}

func sameLength(predicted, actual int) error {
	if predicted != actual {
		return fmt.Errorf("got %d predictions for %d rows", predicted, actual)
	}
	if predicted == 0 {
		return errors.New("got no rows, want at least one")
	}
	return nil
}

func sameShape[T device.Float](predicted, target device.Matrix[T]) error {
	if predicted.Rows != target.Rows || predicted.Cols != target.Cols {
		return fmt.Errorf("predictions have shape (%d, %d), targets (%d, %d)", predicted.Rows, predicted.Cols, target.Rows, target.Cols)
	}
	for _, m := range []device.Matrix[T]{predicted, target} {
		if m.Stride < m.Cols || len(m.Data) < (m.Rows-1)*m.Stride+m.Cols {
			return fmt.Errorf("matrix of shape (%d, %d) with stride %d has %d elements", m.Rows, m.Cols, m.Stride, len(m.Data))
		}
	}
	if target.Rows < 1 || target.Cols < 1 {
		return fmt.Errorf("shape is (%d, %d), want at least one row and one column", target.Rows, target.Cols)
	}
	return nil
}

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
