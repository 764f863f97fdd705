// Package lesson is what the notebooks beside it share: claims, which end a
// cell with an error when a number in the text is no longer true, and pictures,
// which are drawn into the notebook.
//
// A claim that holds prints one line that begins with ✓. It shows no digits
// that could differ from one processor to another.
package lesson
