package cpu

// Activate computes y = act(z) over equally long slices. y may be z.
func Activate[T Float](y, z []T, act Activation) {
	activateGeneric(y, z, act)
}

// ActivationBackward computes dz = dy ⊙ D(a), where D is the derivative of act
// written in a (order 1), or the derivative of that by a (order 2). dz may be
// dy or a.
func ActivationBackward[T Float](dz, dy, a []T, act Activation, order int) {
	activationBackwardGeneric(dz, dy, a, act, order)
}
