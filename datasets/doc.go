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
//	parts, err = parts.Encode() // the columns of a table; fitted on the training part
//	d = parts.Train
//	scaler, err := datasets.FitScaler(datasets.Standard, parts.Train.X, d.Inputs())
//	err = scaler.Transform(parts.Train.X) // and parts.Validation.X, parts.Test.X
//	sampler, err := datasets.NewSampler(parts.Train.Len(), batch, seed)
//	for rows := sampler.Next(); rows != nil; rows = sampler.Next() {
//		err = datasets.GatherInputs(x[:len(rows)*d.Inputs()], parts.Train, rows)
//		err = datasets.GatherTargets(y[:len(rows)*d.Outputs()], parts.Train, rows)
//		...
//	}
//
// A CSV file gives a [Table]: numbers, categories, booleans and dates, with
// missing values. Its [Encoding] makes the features of a model, and is a part of
// the [Schema] that the model keeps, with which [Open] and [ScanCSV] read other
// raw tables for it.
//
// Files are not trusted: no size that a header claims takes memory, what is
// packed more than 200 times as tightly as it unpacks is refused beyond 4 MiB,
// pipes and devices are not opened, and what is read as a name of a column, a
// category or a class cannot command a terminal ([Printable]) or, in what is
// written, a spreadsheet ([GuardCell]).
//
// Everything random is drawn from a PCG generator of math/rand/v2 with the
// caller's seed: the same seed gives the same rows, parts and batches.
//
// An error that means wrong use (an unknown name, an option that the source
// does not have) matches [ErrUsage]; every other error tells what is wrong with
// the data, with the file and the line, row or byte where it is.
package datasets
