package lesson

import (
	"bytes"
	"time"

	"github.com/janpfeifer/gonb/gonbui"

	"github.com/affine-go/affine/train/charts"
)

// dpi makes the usual chart 720 pixels wide.
const dpi = 108

// Show draws a chart into the notebook.
func Show(c charts.Chart) {
	var png bytes.Buffer
	if err := charts.WritePNG(&png, c, dpi); err != nil {
		fail("draw: %v", err)
		return
	}
	// Pictures and printed lines take different ways to the notebook. What was
	// printed before gets a head start, so that the order is always the same.
	time.Sleep(100 * time.Millisecond)
	gonbui.DisplayPng(png.Bytes())
	gonbui.Sync()
}
