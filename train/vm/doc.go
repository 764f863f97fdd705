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
//
// # Concurrency
//
//   - A [Machine] and the nodes of its graph belong to one goroutine at a time.
//   - Machines of graphs that share no tensor may run, and their solvers step,
//     side by side; the numbers are those of running alone.
//   - Machines of several graphs whose nodes share weight tensors may run side by
//     side as long as nobody writes the weights, if only this module's ops and
//     products read them: some of Gorgonia's ops write to a tensor while they
//     read it. Nothing may run while a solver steps on the weights that it reads.
package vm
