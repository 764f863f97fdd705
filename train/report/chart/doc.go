// Package chart draws what a training run looks like: loss curves, decision
// boundaries, confusion matrices, fitted curves, predictions against targets,
// and pictures with their labels.
//
// It takes plain numbers and knows nothing of models or datasets. Every chart
// is a struct with a title, labelled axes and a legend; fill in the data and
// hand it to [Save], [WriteSVG] or [WritePNG]. Most kinds come to an [XY], lines
// and points in two coordinates, which the pages of package report show with
// read-outs. The same data give the same bytes. Colours are those of Okabe and
// Ito (2008), which stay apart for colour-blind readers, and every class has a
// shape of its own besides its colour.
package chart
