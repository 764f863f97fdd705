// Package train trains Gorgonia models.
//
// The parts stand on their own and work with any Gorgonia graph:
//
//   - [Machine] is a gorgonia.VM that runs a graph as a plain loop over its ops.
//     It computes only what the requested outputs need and keeps the memory of
//     this module's ops from run to run.
//   - [Params] pairs learnables with their gradient nodes, so that solvers read
//     a gradient where it was computed.
//   - [Optimizer] is a gorgonia.Solver with PyTorch's formulas and defaults
//     (SGD, Adam, AdamW, RMSprop, Adagrad) and a state that can be saved.
//   - [Schedule] gives the learning rate as a function of the step alone.
//   - [ClipByValue] and [ClipByNorm] bound gradients before a step.
//   - [Confusion], [Accuracy], [R2] and [MAE] measure predictions.
package train
