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
//
// # Concurrency
//
//   - A [Predictor] may be used by any number of goroutines at once.
//   - A [Trainer] and a [Model] belong to one goroutine at a time. To predict
//     while a training goes on, take [Trainer.Predictor] between two steps or,
//     in a [Callback] of [Fit], [Progress.Predictor]: what they return is a copy
//     that never changes, for the goroutines that predict. They get the next
//     one through an atomic.Pointer, say.
//   - Callbacks are called on the goroutine of the training, one after another;
//     Progress is good during the call alone.
//   - Trainings may go on side by side, in one process and in several, each with
//     the results that it has alone. In one directory there is one training at a
//     time; another one gets [ErrRunInUse].
//   - [LoadRun], [LoadPredictor] and the readers of single files may be called
//     at any time, also while a training writes these files: they find each file
//     whole, as it was at some moment.
package train
