package device

import "fmt"

// checked are the kernels of a device after the checks of check.go, which are
// the same for every device.
type checked[T Float] struct{ device Kernels[T] }

func (c *checked[T]) Alloc(n int) ([]T, error) {
	if err := checkAlloc(n); err != nil {
		return nil, err
	}
	return c.device.Alloc(n)
}

func (c *checked[T]) Free(data []T) { c.device.Free(data) }

func (c *checked[T]) Linear(y, z, x, w Matrix[T], b []T, act Activation) error {
	if err := checkLinear(&y, &z, &x, &w, b, act); err != nil {
		return err
	}
	return in("linear", c.device.Linear(y, z, x, w, b, act))
}

func (c *checked[T]) LinearBackward(dx, dw Matrix[T], db []T, x, w, dy, saved Matrix[T], act Activation) error {
	if err := checkLinearBackward(&dx, &dw, db, &x, &w, &dy, &saved, act); err != nil {
		return err
	}
	return in("linear backward", c.device.LinearBackward(dx, dw, db, x, w, dy, saved, act))
}

func (c *checked[T]) Activate(y, z []T, act Activation) error {
	if err := checkActivate(y, z, act); err != nil {
		return err
	}
	return in("activate", c.device.Activate(y, z, act))
}

func (c *checked[T]) ActivationBackward(dz, dy, saved []T, act Activation, order int) error {
	if err := checkActivationBackward(dz, dy, saved, act, order); err != nil {
		return err
	}
	return in("activation backward", c.device.ActivationBackward(dz, dy, saved, act, order))
}

func (c *checked[T]) SoftmaxCrossEntropy(logits, targets Matrix[T]) (T, error) {
	if err := checkSoftmaxCrossEntropy(logits, targets); err != nil {
		return 0, err
	}
	loss, err := c.device.SoftmaxCrossEntropy(logits, targets)
	return loss, in("softmax cross-entropy", err)
}

func (c *checked[T]) SoftmaxCrossEntropyBackward(dlogits, logits, targets Matrix[T], scale T) error {
	if err := checkSoftmaxCrossEntropyBackward(dlogits, logits, targets); err != nil {
		return err
	}
	return in("softmax cross-entropy backward", c.device.SoftmaxCrossEntropyBackward(dlogits, logits, targets, scale))
}

func (c *checked[T]) MSE(pred, target []T) (T, error) {
	if err := checkMean("mse", "pred", pred, target); err != nil {
		return 0, err
	}
	loss, err := c.device.MSE(pred, target)
	return loss, in("mse", err)
}

func (c *checked[T]) MSEBackward(dpred, pred, target []T, scale T) error {
	if err := checkMeanBackward("mse backward", "pred", dpred, pred, target); err != nil {
		return err
	}
	return in("mse backward", c.device.MSEBackward(dpred, pred, target, scale))
}

func (c *checked[T]) BinaryCrossEntropy(logits, targets []T) (T, error) {
	if err := checkMean("binary cross-entropy", "logits", logits, targets); err != nil {
		return 0, err
	}
	loss, err := c.device.BinaryCrossEntropy(logits, targets)
	return loss, in("binary cross-entropy", err)
}

func (c *checked[T]) BinaryCrossEntropyBackward(dlogits, logits, targets []T, scale T) error {
	if err := checkMeanBackward("binary cross-entropy backward", "logits", dlogits, logits, targets); err != nil {
		return err
	}
	return in("binary cross-entropy backward", c.device.BinaryCrossEntropyBackward(dlogits, logits, targets, scale))
}

func (c *checked[T]) Softmax(y, z Matrix[T]) error {
	if err := checkSoftmax(y, z); err != nil {
		return err
	}
	return in("softmax", c.device.Softmax(y, z))
}

func (c *checked[T]) Dropout(y, x Matrix[T], d Dropout) error {
	if err := checkDropout(y, x, d); err != nil {
		return err
	}
	return in("dropout", c.device.Dropout(y, x, d))
}

func (c *checked[T]) BroadcastRows(y Matrix[T], v []T) error {
	if err := checkBroadcastRows(y, v); err != nil {
		return err
	}
	return in("broadcast rows", c.device.BroadcastRows(y, v))
}

func (c *checked[T]) GatherRows(dst, src Matrix[T], index []int) error {
	if err := checkGatherRows(dst, src, index); err != nil {
		return err
	}
	return in("gather rows", c.device.GatherRows(dst, src, index))
}

func (c *checked[T]) SumOfSquares(x []T) (float64, error) {
	sum, err := c.device.SumOfSquares(x)
	return sum, in("sum of squares", err)
}

func (c *checked[T]) Scale(x []T, s T) error { return in("scale", c.device.Scale(x, s)) }

func (c *checked[T]) Clamp(x []T, limit T) error {
	if err := checkClamp(limit); err != nil {
		return err
	}
	return in("clamp", c.device.Clamp(x, limit))
}

func (c *checked[T]) Update(w, g []T, moments Moments[T], u *Update) error {
	if err := checkUpdate(w, g, moments, u); err != nil {
		return err
	}
	return in(u.Rule.String(), c.device.Update(w, g, moments, u))
}

// in puts the kernel's name before an error of the device.
func in(kernel string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", kernel, err)
}
