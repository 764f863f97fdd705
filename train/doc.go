// Package train trains Gorgonia models.
//
// [Fit] trains a multi-layer perceptron on a dataset, from a [Config] to a
// directory that holds everything about the run; [LoadRun] brings it back to
// [Predictor.Predict] and [Predictor.Evaluate]. A run that was interrupted and
// resumed ends with the same bytes as one that was not, on any number of
// threads. A [Trainer] is the same training step by step; a [Callback] watches
// it.
//
// The machine and the optimizers that these are made of stand on their own and
// work with any Gorgonia graph: see packages [github.com/affine-go/affine/train/vm]
// and [github.com/affine-go/affine/train/optim]. [Confusion], [Accuracy], [R2]
// and [MAE] measure predictions.
package train
