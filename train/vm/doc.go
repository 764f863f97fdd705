// Package vm runs Gorgonia graphs.
//
// [Machine] is a gorgonia.VM that runs a graph as a plain loop over its ops. It
// computes only what the requested outputs need and keeps the memory of this
// module's ops from run to run. [Params] pairs learnables with their gradient
// nodes, so that solvers read a gradient where it was computed.
package vm
