// Package charts draws what a training run looks like, as SVG: loss curves,
// decision boundaries, confusion matrices, fitted curves, predictions against
// targets, and pictures with their labels.
//
// It takes plain numbers and knows nothing of models or datasets. Every chart
// is a struct with a title, labelled axes and a legend; fill in the data and
// hand it to [Save]. The same data give the same bytes. Colours are those of
// Okabe and Ito (2008), which stay apart for colour-blind readers, and every
// class has a shape of its own beside its colour.
package charts
