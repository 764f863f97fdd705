package device

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestKernelsRefuseWrongArguments(t *testing.T) {
	onDevices(t, testRefusals[float32], testRefusals[float64])
}

func testRefusals[T Float](t *testing.T, s suite[T]) {
	m := func(rows, cols int) Matrix[T] { return s.matrix(t, rows, cols, 0) }
	v := func(n int) []T { return s.vector(t, n) }
	none := Matrix[T]{}
	identity, relu := Activation{}, Activation{Kind: ReLU}
	x, w, y := m(2, 3), m(3, 4), m(2, 4)
	dy := m(2, 4)
	shared := v(10)
	loss := func(_ T, err error) error { return err }

	for _, test := range []struct {
		err  error
		want []string // what the message must say
	}{
		{s.Linear(m(2, 5), none, x, w, nil, identity), []string{"linear", "Y", "2×5", "2×4"}},
		{s.Linear(y, none, x, m(5, 4), nil, identity), []string{"linear", "W", "5×4", "3×4"}},
		{s.Linear(y, m(1, 4), x, w, nil, identity), []string{"linear", "Z", "1×4", "2×4"}},
		{s.Linear(y, none, x, w, v(3), identity), []string{"linear", "b", "3", "4"}},
		{s.Linear(y, none, x, w, nil, Activation{Kind: 99}), []string{"linear", "99"}},
		{s.Linear(y, none, Matrix[T]{Data: v(4), Rows: 2, Cols: 3, Stride: 3}, w, nil, identity), []string{"linear", "X", "4", "6", "2×3"}},
		{s.Linear(y, none, Matrix[T]{Data: v(6), Rows: 2, Cols: 3, Stride: 2}, w, nil, identity), []string{"linear", "X", "stride 2", "3"}},
		{s.Linear(y, none, Matrix[T]{Data: nil, Rows: -1, Cols: 3, Stride: 3}, w, nil, identity), []string{"linear", "X", "-1×3"}},
		{s.Linear(Matrix[T]{Data: x.Data, Rows: 2, Cols: 1, Stride: 1}, none, x, m(3, 1), nil, identity), []string{"linear", "Y", "X", "shares"}},
		{s.Linear(y, y, x, w, nil, identity), []string{"linear", "Z", "Y", "shares"}},

		{s.LinearBackward(m(3, 3), none, nil, none, w, dy, none, identity), []string{"linear backward", "dX", "3×3", "2×3"}},
		{s.LinearBackward(none, m(3, 3), nil, x, none, dy, none, identity), []string{"linear backward", "dW", "3×3", "3×4"}},
		{s.LinearBackward(none, none, v(3), none, none, dy, none, identity), []string{"linear backward", "db", "3", "4"}},
		{s.LinearBackward(m(2, 3), none, nil, none, none, dy, none, identity), []string{"linear backward", "W", "0×0", "3×4"}},
		{s.LinearBackward(none, m(3, 4), nil, none, none, dy, none, identity), []string{"linear backward", "X", "0×0", "2×3"}},
		{s.LinearBackward(none, none, v(4), none, none, dy, none, relu), []string{"linear backward", "Y", "0×0", "2×4"}},
		{s.LinearBackward(none, none, v(4), none, none, dy, none, Activation{Kind: GELU}), []string{"linear backward", "Z", "0×0", "2×4"}},
		{s.LinearBackward(none, none, dy.Data[:4], none, none, dy, none, identity), []string{"linear backward", "db", "dY", "shares"}},

		{s.Activate(v(3), v(4), relu), []string{"activate", "y", "3", "4"}},
		{s.Activate(shared[1:5], shared[:4], relu), []string{"activate", "y", "z", "shares"}},
		{s.ActivationBackward(v(3), v(3), v(4), relu, 1), []string{"activation backward", "3", "4"}},
		{s.ActivationBackward(v(3), v(3), v(3), relu, 3), []string{"activation backward", "order 3", "1 or 2"}},
		{s.ActivationBackward(shared[:3], v(3), shared[:3], relu, 1), []string{"activation backward", "dz", "saved", "shares"}},

		{loss(s.SoftmaxCrossEntropy(m(2, 3), m(2, 4))), []string{"softmax cross-entropy", "targets", "2×4", "2×3"}},
		{loss(s.SoftmaxCrossEntropy(m(0, 3), m(0, 3))), []string{"softmax cross-entropy", "0×3", "at least one"}},
		{s.SoftmaxCrossEntropyBackward(m(2, 2), m(2, 3), m(2, 3), 1), []string{"softmax cross-entropy backward", "dlogits", "2×2", "2×3"}},
		{s.SoftmaxCrossEntropyBackward(x, x, m(2, 3), 1), []string{"softmax cross-entropy backward", "dlogits", "logits", "shares"}},
		{s.Dropout(m(2, 2), m(2, 3), Dropout{}), []string{"dropout", "Y", "2×2", "2×3"}},
		{s.Dropout(m(2, 3), m(2, 3), Dropout{P: 1}), []string{"dropout", "1", "less than 1"}},
		{s.Dropout(MatrixOf(shared[1:5], 2, 2), MatrixOf(shared[:4], 2, 2), Dropout{}), []string{"dropout", "Y", "X", "shares"}},
		{s.Softmax(m(3, 2), m(2, 3)), []string{"softmax", "y", "3×2", "2×3"}},
		{loss(s.MSE(v(2), v(3))), []string{"mse", "target", "3", "2"}},
		{loss(s.MSE(nil, nil)), []string{"mse", "pred", "empty"}},
		{s.MSEBackward(v(2), v(3), v(3), 1), []string{"mse backward", "dpred", "2", "3"}},
		{loss(s.BinaryCrossEntropy(v(2), v(3))), []string{"binary cross-entropy", "target", "3", "2"}},
		{loss(s.BinaryCrossEntropy(nil, nil)), []string{"binary cross-entropy", "logits", "empty"}},
		{s.BinaryCrossEntropyBackward(v(3), v(3), v(2), 1), []string{"binary cross-entropy backward", "3", "2"}},

		{s.BroadcastRows(m(2, 3), v(4)), []string{"broadcast rows", "y", "2×3", "2×4"}},
		{s.GatherRows(m(2, 3), m(5, 4), []int{0, 1}), []string{"gather rows", "dst", "2×3", "2×4"}},
		{s.GatherRows(m(2, 4), m(5, 4), []int{0}), []string{"gather rows", "dst", "2×4", "1×4"}},
		{s.GatherRows(m(2, 4), m(5, 4), []int{0, 5}), []string{"gather rows", "index[1]", "5", "0 to 4"}},
		{s.GatherRows(m(1, 4), m(5, 4), []int{-1}), []string{"gather rows", "index[0]", "-1"}},
		{s.Clamp(v(2), -1), []string{"clamp", "-1"}},
		{s.Clamp(v(2), T(math.NaN())), []string{"clamp", "NaN"}},

		{s.Update(v(2), v(3), Moments[T]{}, &Update{Rule: SGD}), []string{"sgd", "g", "3", "2"}},
		{s.Update(v(2), v(2), Moments[T]{}, &Update{Rule: SGD, Momentum: 0.9}), []string{"sgd", "momentum", "0", "2"}},
		{s.Update(shared[:2], shared[1:3], Moments[T]{}, &Update{Rule: SGD}), []string{"sgd", "g", "w", "shares"}},
		{s.Update(v(2), v(2), Moments[T]{v(2), v(3)}, &Update{Rule: Adam, Step: 1}), []string{"adam", "exp_avg_sq", "3", "2"}},
		{s.Update(v(2), v(2), Moments[T]{v(2), v(2)}, &Update{Rule: Adam}), []string{"adam", "step 0", "1"}},
		{s.Update(v(2), v(2), Moments[T]{shared[:2], shared[:2]}, &Update{Rule: Adam, Step: 1}), []string{"adam", "exp_avg_sq", "exp_avg", "shares"}},
		{s.Update(v(2), v(2), Moments[T]{}, &Update{Rule: 99}), []string{"update", "unknown", "sgd", "lion"}},
		{s.Update(v(2), v(2), Moments[T]{nil, nil, nil}, &Update{Rule: RMSprop}), []string{"rmsprop", "square", "0", "2"}},
		{s.Update(v(2), v(2), Moments[T]{v(2), nil, nil}, &Update{Rule: RMSprop, Momentum: 0.9}), []string{"rmsprop", "momentum", "0", "2"}},
		{s.Update(v(2), v(2), Moments[T]{v(2), nil, nil}, &Update{Rule: RMSprop, Centered: true}), []string{"rmsprop", "grad_avg", "0", "2"}},
		{s.Update(v(2), v(2), Moments[T]{v(1)}, &Update{Rule: Adagrad, Step: 1}), []string{"adagrad", "sum", "1", "2"}},
		{s.Update(v(2), v(2), Moments[T]{v(2)}, &Update{Rule: Adagrad, Step: -1}), []string{"adagrad", "step -1"}},
	} {
		if test.err == nil {
			t.Errorf("no error, want one that says %q", test.want)
			continue
		}
		for _, part := range test.want {
			if !strings.Contains(test.err.Error(), part) {
				t.Errorf("%q does not say %q", test.err, part)
			}
		}
	}
}

// TestOverlap compares overlap with the sets of the elements' places.
func TestOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		buffer := make([]float32, 60)
		stride := rapid.IntRange(1, 8).Draw(t, "stride")
		places := func(name string) (Matrix[float32], map[int]bool) {
			rows, cols := rapid.IntRange(0, 4).Draw(t, name+" rows"), rapid.IntRange(0, stride).Draw(t, name+" cols")
			first := rapid.IntRange(0, 25).Draw(t, name+" first")
			set := map[int]bool{}
			for i := range rows {
				for j := range cols {
					set[first+i*stride+j] = true
				}
			}
			return Matrix[float32]{Data: buffer[first:], Rows: rows, Cols: cols, Stride: stride}, set
		}
		a, placesA := places("a")
		b, placesB := places("b")
		want := false
		for p := range placesA {
			want = want || placesB[p]
		}
		if got := overlap(a, b); got != want {
			t.Fatalf("overlap is %v, want %v", got, want)
		}
		if overlap(a, b) != overlap(b, a) {
			t.Fatal("overlap depends on the order")
		}
	})
}
