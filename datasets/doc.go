// Package datasets gives a trainer its numbers: toy datasets that need no
// download, loaders for CSV, NPZ and IDX files, seeded splits, scaling, and
// batches.
//
// [Load] makes a built-in dataset by name, [Open] takes a source as it stands
// on a command line: a name, csv:FILE, npz:FILE or idx:DIR. Both return a
// [Dataset], a plain table of float64 with one row per example. From there the
// way to a training step is
//
//	parts, err := datasets.Split(d, datasets.DefaultFractions, seed)
//	scaler, err := datasets.FitScaler(datasets.Standard, parts.Train.X, d.Inputs())
//	err = scaler.Transform(parts.Train.X) // and parts.Validation.X, parts.Test.X
//	sampler, err := datasets.NewSampler(parts.Train.Len(), batch, seed)
//	for rows := sampler.Next(); rows != nil; rows = sampler.Next() {
//		err = datasets.GatherInputs(x[:len(rows)*d.Inputs()], parts.Train, rows)
//		err = datasets.GatherTargets(y[:len(rows)*d.Outputs()], parts.Train, rows)
//		...
//	}
//
// Everything random is drawn from a PCG generator of math/rand/v2 with the
// caller's seed: the same seed gives the same rows, parts and batches.
//
// An error that means wrong use (an unknown name, an option that the source
// does not have) matches [ErrUsage]; every other error tells what is wrong with
// the data, with the file and the line, row or byte where it is.
package datasets
