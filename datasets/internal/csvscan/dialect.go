package csvscan

import "bytes"

// separators are those that are looked for, the likeliest first.
const separators = ",;\t|"

// Detect finds out how the text is written: the separator that splits the first
// lines into equally many cells, more than one, and of those the one that gives
// the most, or else the one that the first line holds most of. The decimal point
// is a comma if the separator is another and there are numbers with a comma
// among the first rows and none with a point. What is given is kept.
func (h *Head) Detect(given Dialect) Dialect {
	d := given
	if d.Separator == 0 {
		d.Separator = h.separator()
	}
	if d.DecimalPoint == 0 {
		if d.DecimalPoint = '.'; d.Separator != ',' && h.decimalComma(d.Separator) {
			d.DecimalPoint = ','
		}
	}
	return d
}

// detectRows is how many rows tell how the text is written.
const detectRows = 100

func (h *Head) separator() byte {
	var counts [][len(separators)]int // of each line
	var now [len(separators)]int
	quoted, empty := false, true
	for _, c := range h.block.data {
		switch {
		case c == '"':
			quoted, empty = !quoted, false
		case quoted:
		case c == '\n':
			if !empty {
				counts = append(counts, now)
			}
			now, empty = [len(separators)]int{}, true
		case c != '\r':
			empty = false
			if k := bytes.IndexByte([]byte(separators), c); k >= 0 {
				now[k]++
			}
		}
		if len(counts) == detectRows {
			break
		}
	}
	if len(counts) == 0 {
		return separators[0]
	}
	best, bestEqual := 0, false
	for k := range separators {
		first := counts[0][k]
		equal := first > 0
		for _, line := range counts {
			equal = equal && line[k] == first
		}
		if equal && !bestEqual && first > 0 || equal == bestEqual && first > counts[0][best] {
			best, bestEqual = k, equal
		}
	}
	return separators[best]
}

func (h *Head) decimalComma(separator byte) bool {
	p := parser{Plan: &Plan{Dialect: Dialect{Separator: separator}}, data: h.block.data}
	commas := false
	for row := 0; row < detectRows && p.nextRecord(); row++ {
		for end := false; !end; {
			cell, last, err := p.cell()
			if err != nil {
				return commas
			}
			end = last
			if bytes.IndexByte(cell, '.') >= 0 {
				if _, ok := ParseNumber(cell, '.'); ok {
					return false
				}
			}
			if bytes.IndexByte(cell, ',') >= 0 {
				_, ok := ParseNumber(cell, ',')
				commas = commas || ok
			}
		}
	}
	return commas
}
