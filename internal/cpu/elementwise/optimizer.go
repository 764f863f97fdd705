package elementwise

import "github.com/affine-go/affine/internal/kernel"

// SGD makes a step, see [kernel.SGDStep].
func SGD[T kernel.Float](w, g, m []T, s kernel.SGDStep) {
	if len(w) <= updateGrain {
		sgd(w, g, m, s)
		return
	}
	u := newUpdate(w, g, m, nil, nil)
	u.rule, u.sgd = sgdRule, s
	u.do()
}

// Adam makes a step, see [kernel.AdamStep].
func Adam[T kernel.Float](w, g, m, v, vmax []T, s kernel.AdamStep) {
	if len(w) <= updateGrain {
		adam(w, g, m, v, vmax, s)
		return
	}
	u := newUpdate(w, g, m, v, vmax)
	u.rule, u.adam = adamRule, s
	u.do()
}

// RMSprop makes a step, see [kernel.RMSpropStep].
func RMSprop[T kernel.Float](w, g, v, b, mean []T, s kernel.RMSpropStep) {
	if len(w) <= updateGrain {
		rmsprop(w, g, v, b, mean, s)
		return
	}
	u := newUpdate(w, g, v, b, mean)
	u.rule, u.rmsprop = rmspropRule, s
	u.do()
}

// Adagrad makes a step, see [kernel.AdagradStep].
func Adagrad[T kernel.Float](w, g, sum []T, s kernel.AdagradStep) {
	if len(w) <= updateGrain {
		adagrad(w, g, sum, s)
		return
	}
	u := newUpdate(w, g, sum, nil, nil)
	u.rule, u.adagrad = adagradRule, s
	u.do()
}

// Lion makes a step, see [kernel.LionStep].
func Lion[T kernel.Float](w, g, m []T, s kernel.LionStep) {
	if len(w) <= updateGrain {
		lion(w, g, m, s)
		return
	}
	u := newUpdate(w, g, m, nil, nil)
	u.rule, u.lion = lionRule, s
	u.do()
}
