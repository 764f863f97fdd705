package main

import (
	"fmt"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/train/charts"
)

// datasetChart shows the rows of any dataset: pictures for images, a scatter
// plot where two numbers tell all, else one small plot for each pair of columns.
func datasetChart(d *datasets.Dataset) charts.Chart {
	title := d.Name + ": the rows"
	subtitle := fmt.Sprintf("%d rows, %d features, target %s", d.Len(), d.Inputs(), d.TargetName)
	classes := d.Classes
	if d.Task == datasets.Regression {
		classes = []string{"row"}
	}
	switch {
	case d.ImageShape != [2]int{}:
		return imageChart(d, title, subtitle)
	case d.Task == datasets.Regression && d.Inputs() == 1:
		return charts.Scatter{Title: title, Subtitle: subtitle, XLabel: d.Features[0], YLabel: d.TargetName,
			Classes: classes, Points: charts.Points{X: d.X, Y: d.Y, Class: make([]int, d.Len())}}
	case d.Task == datasets.Classification && d.Inputs() == 2:
		return charts.Scatter{Title: title, Subtitle: subtitle, XLabel: d.Features[0], YLabel: d.Features[1],
			Classes: classes, Points: charts.Points{X: column(d, 0), Y: column(d, 1), Class: classOf(d)}}
	}
	return charts.Panels{Title: title, Subtitle: subtitle, Classes: classes, Panels: panels(d)}
}

// panels pairs, in regression, each feature with the target and, in
// classification, each feature with each other.
func panels(d *datasets.Dataset) []charts.Panel {
	const most = 12
	var all []charts.Panel
	add := func(xLabel, yLabel string, x, y []float64, class []int) {
		if len(all) < most {
			all = append(all, charts.Panel{XLabel: xLabel, YLabel: yLabel, Points: charts.Points{X: x, Y: y, Class: class}})
		}
	}
	if d.Task == datasets.Regression {
		for i, name := range d.Features {
			add(name, d.TargetName, column(d, i), d.Y, make([]int, d.Len()))
		}
		return all
	}
	classes := classOf(d)
	if d.Inputs() == 1 {
		y := make([]float64, d.Len())
		for i, c := range classes {
			y[i] = float64(c)
		}
		add(d.Features[0], d.TargetName, d.X, y, classes)
	}
	for i := range d.Features {
		for j := range i {
			add(d.Features[j], d.Features[i], column(d, j), column(d, i), classes)
		}
	}
	return all
}

// imageChart shows the first three rows of each class, up to 30 in all.
func imageChart(d *datasets.Dataset, title, subtitle string) charts.Chart {
	const each, most = 3, 30
	chart := charts.Pictures{Title: title, Subtitle: subtitle, Height: d.ImageShape[0], Width: d.ImageShape[1]}
	rows := make([][]int, len(d.Classes))
	for i, c := range classOf(d) {
		if len(rows[c]) < each {
			rows[c] = append(rows[c], i)
		}
	}
	for class, first := range rows {
		for _, row := range first {
			if len(chart.Pictures) < most {
				chart.Pictures = append(chart.Pictures, charts.Picture{Pixels: d.Row(row), True: d.Classes[class]})
			}
		}
	}
	return chart
}

// column returns a feature of all rows.
func column(d *datasets.Dataset, feature int) []float64 {
	values := make([]float64, d.Len())
	for i := range values {
		values[i] = d.Row(i)[feature]
	}
	return values
}

// classOf returns the class of each row; for regression, 0.
func classOf(d *datasets.Dataset) []int {
	classes := make([]int, d.Len())
	if d.Task == datasets.Classification {
		for i, y := range d.Y {
			classes[i] = int(y)
		}
	}
	return classes
}
