package chart

import (
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// raised writes plain text, but for the exponents of powers of ten: Liberation
// Sans lacks ⁻, ⁰ and ⁹, so they are drawn as smaller digits, raised.
type raised struct{ text.Plain }

const (
	raisedSize = 0.72 // of the font
	raisedRise = 0.36 // of the font's size
)

var lowered = strings.NewReplacer("⁻", "−", "⁰", "0", "¹", "1", "²", "2", "³", "3", "⁴", "4", "⁵", "5", "⁶", "6", "⁷", "7", "⁸", "8", "⁹", "9")

// cutPower parts "2·10⁻⁵" into "2·10" and "−5".
func cutPower(s string) (base, exponent string, ok bool) {
	end := strings.LastIndex(s, "10") + len("10")
	if end < len("10") || strings.Trim(s[end:], "⁻⁰¹²³⁴⁵⁶⁷⁸⁹") != "" {
		return s, "", false
	}
	return s[:end], lowered.Replace(s[end:]), end < len(s)
}

func smaller(f font.Font) font.Font {
	f.Size *= raisedSize
	return f
}

// Box implements text.Handler.
func (h raised) Box(s string, f font.Font) (width, height, depth vg.Length) {
	base, exponent, ok := cutPower(s)
	width, height, depth = h.Plain.Box(base, f)
	if ok {
		more, _, _ := h.Plain.Box(exponent, smaller(f))
		width += more
	}
	return width, height, depth
}

// Draw implements text.Handler. Text that is turned has no exponents.
func (h raised) Draw(c vg.Canvas, s string, style text.Style, at vg.Point) {
	base, exponent, ok := cutPower(s)
	if !ok || style.Rotation != 0 {
		h.Plain.Draw(c, s, style, at)
		return
	}
	width, _, _ := h.Box(s, style.Font)
	at.X += vg.Length(style.XAlign) * width
	style.XAlign = text.XLeft
	h.Plain.Draw(c, base, style, at)
	baseWidth, _, _ := h.Plain.Box(base, style.Font)
	// Both stand on one baseline, which the alignment finds by the height.
	rise := raisedRise * style.Font.Size
	if style.YAlign != text.YBottom {
		rise += vg.Length(-style.YAlign-0.5) * (1 - raisedSize) * style.Font.Size
	}
	style.Font = smaller(style.Font)
	h.Plain.Draw(c, exponent, style, at.Add(vg.Point{X: baseWidth, Y: rise}))
}
