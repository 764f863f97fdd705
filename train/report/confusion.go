package report

import (
	"fmt"
	"html/template"
	"math"
	"strconv"

	"github.com/affine-go/affine/train"
)

// confusion is a confusion matrix as a table: a row for each actual class with
// its recall, and a last row with the precision of each predicted class.
type confusion struct {
	Part      string
	Classes   []string
	Rows      []confusionRow
	Precision []string
}

type confusionRow struct {
	Class  string
	Cells  []confusionCell
	Recall string
}

type confusionCell struct {
	Count int
	Right bool // on the diagonal
	Title string
	share float64 // of the row
}

// Style shades a cell by its share of the row.
func (c confusionCell) Style() template.CSS {
	return template.CSS("--share:" + fixed(c.share))
}

// Strong reports whether the shade is so dark that it takes light text.
func (c confusionCell) Strong() bool { return c.share > 0.55 }

func newConfusion(part string, classes []string, counts train.Confusion) *confusion {
	m := &confusion{Part: part, Classes: classes}
	recall, precision := counts.Recall(), counts.Precision()
	for i, row := range counts {
		r := confusionRow{Class: classes[i], Recall: m.percent(recall[i])}
		total := 0
		for _, n := range row {
			total += n
		}
		for j, n := range row {
			cell := confusionCell{Count: n, Right: i == j, Title: fmt.Sprintf("%d of %d rows of class %s predicted to be %s", n, total, classes[i], classes[j])}
			if total > 0 {
				cell.share = float64(n) / float64(total)
			}
			r.Cells = append(r.Cells, cell)
		}
		m.Rows = append(m.Rows, r)
		m.Precision = append(m.Precision, m.percent(precision[i]))
	}
	return m
}

// Many reports whether there are so many classes that a phone needs small
// figures.
func (m *confusion) Many() bool { return len(m.Classes) > 6 }

// percent writes three digits of a share in per cent; of many classes, whole
// per cent, and 100 only where it is all.
func (m *confusion) percent(share float64) string {
	switch {
	case math.IsNaN(share):
		return "–"
	case m.Many():
		return strconv.Itoa(int(100 * share))
	}
	return strconv.FormatFloat(100*share, 'g', 3, 64)
}
