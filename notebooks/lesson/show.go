package lesson

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"slices"
	"time"

	"github.com/janpfeifer/gonb/gonbui"

	"github.com/affine-go/affine/train/report/chart"
)

// dpi makes the usual chart 640 pixels wide.
const dpi = 96

// Show draws a chart into the notebook.
func Show(c chart.Chart) { display(bitmap(c)) }

func display(picture []byte, err error) {
	if err != nil {
		fail("draw: %v", err)
		return
	}
	// Pictures and printed lines take different ways to the notebook. What was
	// printed before gets a head start, so that the order is always the same.
	time.Sleep(100 * time.Millisecond)
	gonbui.DisplayPng(picture)
	gonbui.Sync()
}

// bitmap draws a chart as PNG.
func bitmap(c chart.Chart) ([]byte, error) {
	var drawn bytes.Buffer
	if err := chart.WritePNG(&drawn, c, dpi); err != nil {
		return nil, err
	}
	return small(drawn.Bytes())
}

// small gives a PNG a palette: it takes a third of the room that all colours
// would take.
func small(picture []byte) ([]byte, error) {
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	err = encoder.Encode(&out, indexed(img))
	return out.Bytes(), err
}

// indexed reduces an opaque picture to its 256 most frequent colours, rounded
// to six bits a channel; every other pixel gets the nearest of them.
func indexed(img image.Image) *image.Paletted {
	bounds := img.Bounds()
	count := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA {
		r, g, b, _ := img.At(x, y).RGBA()
		return color.RGBA{sixBits(r), sixBits(g), sixBits(b), 0xFF}
	}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			count[at(x, y)]++
		}
	}
	colours := make([]color.RGBA, 0, len(count))
	for c := range count {
		colours = append(colours, c)
	}
	slices.SortFunc(colours, func(a, b color.RGBA) int {
		return cmp.Or(count[b]-count[a], int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B))
	})
	var palette color.Palette
	for _, c := range colours[:min(len(colours), 256)] {
		palette = append(palette, c)
	}
	index := make(map[color.RGBA]uint8, len(colours))
	for _, c := range colours {
		index[c] = uint8(palette.Index(c))
	}
	out := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			out.SetColorIndex(x, y, index[at(x, y)])
		}
	}
	return out
}

// sixBits rounds a channel of 16 bits to the nearest of 64 levels from 0 to 255.
func sixBits(channel uint32) uint8 {
	level := (channel*63 + 0x7FFF) / 0xFFFF
	return uint8((level*255 + 31) / 63)
}
