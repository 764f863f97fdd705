package report

import (
	"fmt"
	"html/template"

	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/report/chart"
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
func (c confusionCell) Strong() bool { return c.share > chart.StrongShare }

func newConfusion(part string, classes []string, counts train.Confusion) *confusion {
	m := &confusion{Part: part, Classes: classes}
	recall, precision := counts.Recall(), counts.Precision()
	for i, row := range counts {
		r := confusionRow{Class: classes[i], Recall: format.Percent(recall[i])}
		shares, total := chart.Shares(row)
		for j, n := range row {
			r.Cells = append(r.Cells, confusionCell{Count: n, Right: i == j, share: shares[j],
				Title: fmt.Sprintf("%d of %d rows of class %s predicted to be %s", n, total, classes[i], classes[j])})
		}
		m.Rows = append(m.Rows, r)
		m.Precision = append(m.Precision, format.Percent(precision[i]))
	}
	return m
}

// Many reports whether there are so many classes that a phone needs small
// figures.
func (m *confusion) Many() bool { return len(m.Classes) > 6 }
