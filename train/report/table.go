package report

import (
	"fmt"
	"slices"

	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train/report/chart"
)

// table is rows of cells below headings. The first column names the rows.
type table struct {
	Caption  string
	Headings []string
	Rows     [][]string
	Best     map[[2]int]bool // cells to stand out, by row and column
}

// mostRows is how long the table beside a chart may be.
const mostRows = 200

// table returns the numbers of a chart.
func chartTable(c *chart.XY) table {
	if len(c.Clouds) > 0 {
		return cloudTable(c)
	}
	t := table{Headings: []string{c.X.Label}}
	var xs []float64
	for _, l := range c.Lines {
		t.Headings = append(t.Headings, l.Name)
		xs = append(xs, l.X...)
	}
	slices.Sort(xs)
	xs = slices.Compact(xs)
	some := chart.Evenly(len(xs), mostRows)
	t.Caption = caption(c.Title, c.Y.Label, len(some), len(xs))
	rows := map[float64][]string{}
	for _, i := range some {
		row := make([]string, len(c.Lines)+1)
		row[0] = format.Number(xs[i])
		if c.X.Whole {
			row[0] = fmt.Sprint(xs[i])
		}
		t.Rows = append(t.Rows, row)
		rows[xs[i]] = row
	}
	for column, l := range c.Lines {
		for i, x := range l.X {
			if row := rows[x]; row != nil {
				row[column+1] = format.Number(l.Y[i])
			}
		}
	}
	return t
}

// cloudTable lists the points that have something to tell.
func cloudTable(c *chart.XY) table {
	t := table{Headings: []string{"point", c.X.Label, c.Y.Label}}
	all := 0
	for _, p := range c.Clouds {
		if p.Notes != nil {
			all += len(p.X)
		}
	}
	for _, p := range c.Clouds {
		if p.Notes == nil {
			continue
		}
		for _, i := range chart.Evenly(len(p.X), max(mostRows*len(p.X)/all, 2)) {
			t.Rows = append(t.Rows, []string{p.Notes[i], format.Number(p.X[i]), format.Number(p.Y[i])})
		}
	}
	t.Caption = caption(c.Title, "", len(t.Rows), all)
	return t
}

func caption(title, label string, listed, all int) string {
	text := title
	if label != "" {
		text += ": " + label
	}
	if listed < all {
		text += fmt.Sprintf(" (%s of %s rows)", format.Count(listed), format.Count(all))
	}
	return text
}
