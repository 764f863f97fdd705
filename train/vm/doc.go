// Package vm runs Gorgonia graphs.
//
// [Machine] is a gorgonia.VM that takes the place of Gorgonia's TapeMachine:
//
//	vm := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(learnables...))
//
// becomes
//
//	m, err := vm.New(g, vm.BindDualValues(learnables...))
//
// and everything else stays. It computes only what is asked for, as a plain loop
// over ops that keep their memory from run to run, and computes linear layers
// that are written in built-in ops, and their gradients, with this module's
// kernels. [ForTraining] makes a machine for a training loop in one call, and
// [Params] pairs learnables with their gradient nodes by hand.
package vm
