// Package optim updates weights.
//
// [Optimizer] is a gorgonia.Solver with PyTorch's formulas and defaults and a
// state that can be saved; it works on the learnables of any Gorgonia graph.
// [FromGorgonia] makes one with the settings and formulas of a solver of
// Gorgonia's. [WithGroup] gives some learnables options of their own.
//
// [Schedule] gives the learning rate as a function of the step alone.
// [ClipByValue] and [ClipByNorm] bound gradients before a step.
package optim
