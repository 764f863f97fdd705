package report

import (
	"fmt"
	"html/template"
	"math"
	"strconv"

	"github.com/affine-go/affine/datasets"
)

// mistakes are the rows that the model gets most wrong.
type mistakes struct {
	Note     string
	Pictures []mistakenPicture // of images
	Table    table             // of other rows
}

type mistakenPicture struct {
	URL               template.URL
	Row               string
	Actual, Predicted string
	Sure              string // in per cent
}

// How many mistakes a page shows.
const (
	mostPictures = 24
	mostMistakes = 10
	mostFeatures = 8 // columns of features beside a mistake
)

// mistakes returns nil where the model makes none.
func (a *answers) mistakes() (*mistakes, error) {
	if a.rows.Task == datasets.Regression {
		return a.largestErrors(), nil
	}
	var wrong []int
	for i := range a.rows.Len() {
		if a.isWrong(i) {
			wrong = append(wrong, i)
		}
	}
	if len(wrong) == 0 {
		return nil, nil
	}
	byRank(wrong, a.probability)
	m := &mistakes{Note: fmt.Sprintf("%s of %s are wrong. The surest come first.", count(len(wrong)), plural(a.rows.Len(), a.part+" row"))}
	if a.rows.ImageShape != [2]int{} {
		return m, a.addPictures(m, wrong[:min(mostPictures, len(wrong))])
	}
	m.Table = table{Caption: "Rows that are predicted wrong", Headings: a.headings("actual", "predicted", "sure")}
	for _, i := range wrong[:min(mostMistakes, len(wrong))] {
		m.Table.Rows = append(m.Table.Rows, a.cells(i,
			a.rows.Classes[a.class(i)], a.rows.Classes[a.predicted(i)], a.sure(i)))
	}
	return m, nil
}

func (a *answers) addPictures(m *mistakes, wrong []int) error {
	height, width := a.rows.ImageShape[0], a.rows.ImageShape[1]
	for _, i := range wrong {
		url, err := greyURL(a.rows.Row(i), height, width)
		if err != nil {
			return err
		}
		m.Pictures = append(m.Pictures, mistakenPicture{
			URL: url, Row: a.row(i), Actual: a.rows.Classes[a.class(i)], Predicted: a.rows.Classes[a.predicted(i)],
			Sure: a.sure(i),
		})
	}
	return nil
}

func (a *answers) largestErrors() *mistakes {
	rows := make([]int, a.rows.Len())
	for i := range rows {
		rows[i] = i
	}
	off := func(i int) float64 { return a.Predictions.Values[i] - a.rows.Y[i] }
	byRank(rows, func(i int) float64 { return math.Abs(off(i)) })
	m := &mistakes{Note: fmt.Sprintf("The largest errors on %s.", plural(a.rows.Len(), a.part+" row"))}
	m.Table = table{Caption: "Rows with the largest errors", Headings: a.headings(a.rows.TargetName, "predicted", "off by")}
	for _, i := range rows[:min(mostMistakes, len(rows))] {
		m.Table.Rows = append(m.Table.Rows, a.cells(i, number(a.rows.Y[i]), number(a.Predictions.Values[i]), number(off(i))))
	}
	return m
}

// headings are those of a table of mistakes: the row, what is wrong, and the
// features.
func (a *answers) headings(wrong ...string) []string {
	headings := append([]string{a.part + " row"}, wrong...)
	headings = append(headings, a.rows.Features[:min(mostFeatures, a.rows.Inputs())]...)
	if a.rows.Inputs() > mostFeatures {
		headings = append(headings, "…")
	}
	return headings
}

func (a *answers) cells(i int, wrong ...string) []string {
	cells := append([]string{strconv.Itoa(i + 1)}, wrong...)
	for _, v := range a.rows.Row(i)[:min(mostFeatures, a.rows.Inputs())] {
		cells = append(cells, number(v))
	}
	if a.rows.Inputs() > mostFeatures {
		cells = append(cells, "…")
	}
	return cells
}
