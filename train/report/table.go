package report

import (
	"fmt"
	"slices"
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
func (c *chart) table() table {
	if len(c.Clouds) > 0 {
		return c.cloudTable()
	}
	t := table{Headings: []string{c.X.Label}}
	var xs []float64
	for _, l := range c.Lines {
		t.Headings = append(t.Headings, l.Name)
		xs = append(xs, l.X...)
	}
	slices.Sort(xs)
	xs = slices.Compact(xs)
	some := evenly(len(xs), mostRows)
	t.Caption = caption(c.Title, c.Y.Label, len(some), len(xs))
	rows := map[float64][]string{}
	for _, i := range some {
		row := make([]string, len(c.Lines)+1)
		row[0] = number(xs[i])
		if c.X.Whole {
			row[0] = fmt.Sprint(xs[i])
		}
		t.Rows = append(t.Rows, row)
		rows[xs[i]] = row
	}
	for column, l := range c.Lines {
		for i, x := range l.X {
			if row := rows[x]; row != nil {
				row[column+1] = number(l.Y[i])
			}
		}
	}
	return t
}

// cloudTable lists the points that have something to tell.
func (c *chart) cloudTable() table {
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
		for _, i := range evenly(len(p.X), max(mostRows*len(p.X)/all, 2)) {
			t.Rows = append(t.Rows, []string{p.Notes[i], number(p.X[i]), number(p.Y[i])})
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
		text += fmt.Sprintf(" (%s of %s rows)", count(listed), count(all))
	}
	return text
}
