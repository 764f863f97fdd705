// Package report writes what there is to see of a training as one HTML page:
// of one run, of several runs side by side, or of a comparison of the fused op
// with the built-in ops.
//
// A page is one file that needs no network and no other file. Its charts are
// SVG and stand without JavaScript; with it they show values under the pointer
// and to the arrow keys. It follows the reader's light or dark setting, fits a
// phone and prints. The same files of a run give the same bytes.
//
//	r, err := report.Load("runs/moons-001")
//	err = r.Complete(nil)
//	err = report.WriteRun(w, r, report.Options{})
package report
