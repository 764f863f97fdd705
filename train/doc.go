// Package train trains Gorgonia models.
//
// [Fit] trains a multi-layer perceptron on a dataset, from a [Config] to a
// directory that holds everything about the run; [LoadRun] brings it back to
// [Predictor.Predict] and [Predictor.Evaluate]. A run that was interrupted and
// resumed ends with the same bytes as one that was not, on any number of
// threads. A [Trainer] is the same training step by step; a [Callback] watches
// it.
//
// The parts that these are made of stand on their own and work with any
// Gorgonia graph:
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
