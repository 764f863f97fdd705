package report

import (
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train/report/chart"
)

// RowsChart shows the rows of any dataset: pictures for images, a scatter plot
// if two numbers tell all, else one small plot for each pair of columns.
func RowsChart(d *datasets.Dataset) chart.Chart {
	title := d.Name + ": the rows"
	subtitle := format.Plural(d.Len(), "row") + ", " + format.Plural(d.Inputs(), "feature") + ", target " + d.TargetName
	classes := d.Classes
	if d.Task == datasets.Regression {
		classes = []string{"row"}
	}
	scatter := chart.Scatter{Title: title, Subtitle: subtitle, Classes: classes}
	switch {
	case d.ImageShape != [2]int{}:
		return imagesChart(d, title, subtitle)
	case d.Task == datasets.Regression && d.Inputs() == 1:
		scatter.XLabel, scatter.YLabel = d.Features[0], d.TargetName
		scatter.Points = chart.Points{X: d.X, Y: d.Y, Class: classOf(d)}
		return scatter
	case d.Task == datasets.Classification && d.Inputs() == 2:
		scatter.XLabel, scatter.YLabel, scatter.SameUnit = d.Features[0], d.Features[1], true
		scatter.Points = chart.Points{X: column(d, 0), Y: column(d, 1), Class: classOf(d)}
		return scatter
	}
	return chart.Panels{Title: title, Subtitle: subtitle, Classes: classes, Panels: panels(d)}
}

// panels pairs, in regression, each feature with the target and, in
// classification, each feature with each other.
func panels(d *datasets.Dataset) []chart.Panel {
	const most = 12
	var all []chart.Panel
	classes := classOf(d)
	add := func(xLabel, yLabel string, x, y []float64) {
		if len(all) < most {
			all = append(all, chart.Panel{XLabel: xLabel, YLabel: yLabel, Points: chart.Points{X: x, Y: y, Class: classes}})
		}
	}
	if d.Task == datasets.Regression || d.Inputs() == 1 {
		for i, name := range d.Features {
			add(name, d.TargetName, column(d, i), d.Y)
		}
		return all
	}
	for i := range d.Features {
		for j := range i {
			add(d.Features[j], d.Features[i], column(d, j), column(d, i))
		}
	}
	return all
}

// imagesChart shows the first three rows of each class, up to 30 in all.
func imagesChart(d *datasets.Dataset, title, subtitle string) chart.Chart {
	const each, most = 3, 30
	c := chart.Pictures{Title: title, Subtitle: subtitle, Height: d.ImageShape[0], Width: d.ImageShape[1]}
	rows := make([][]int, max(len(d.Classes), 1))
	for i, class := range classOf(d) {
		if len(rows[class]) < each {
			rows[class] = append(rows[class], i)
		}
	}
	for class, first := range rows {
		for _, row := range first {
			if len(c.Pictures) < most {
				name := d.TargetName
				if d.Task == datasets.Classification {
					name = d.Classes[class]
				}
				c.Pictures = append(c.Pictures, chart.Picture{Pixels: d.Row(row), True: name})
			}
		}
	}
	return c
}

// lower begins a title in the middle of a line.
func lower(title string) string { return strings.ToLower(title[:1]) + title[1:] }
