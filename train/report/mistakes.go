package report

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train/report/chart"
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
	mostFeatures = 8 // columns of features besides a mistake
)

// mistakes returns nil if the model makes none.
func (a *answers) mistakes() (*mistakes, error) {
	if a.rows.Task == datasets.Regression {
		return a.largestErrors(), nil
	}
	wrong := a.wrong()
	if len(wrong) == 0 {
		return nil, nil
	}
	m := &mistakes{Note: fmt.Sprintf("%s of %s are wrong. The surest come first.", format.Count(len(wrong)), format.Plural(a.rows.Len(), a.part+" row"))}
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

// wrong are the rows that are predicted wrong, the surest first.
func (a *answers) wrong() []int {
	var wrong []int
	for i := range a.rows.Len() {
		if a.isWrong(i) {
			wrong = append(wrong, i)
		}
	}
	byRank(wrong, a.probability)
	return wrong
}

// byRank sorts indices by a number, highest first, equal ones in their order.
func byRank(indices []int, rank func(i int) float64) {
	slices.SortStableFunc(indices, func(a, b int) int { return cmp.Compare(rank(b), rank(a)) })
}

func (a *answers) addPictures(m *mistakes, wrong []int) error {
	height, width := a.rows.ImageShape[0], a.rows.ImageShape[1]
	for _, i := range wrong {
		url, err := pngURL(chart.Grey(a.rows.Row(i), width, height, 1))
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
	m := &mistakes{Note: fmt.Sprintf("The largest errors on %s.", format.Plural(a.rows.Len(), a.part+" row"))}
	m.Table = table{Caption: "Rows with the largest errors", Headings: a.headings(a.rows.TargetName, "predicted", "off by")}
	for _, i := range rows[:min(mostMistakes, len(rows))] {
		m.Table.Rows = append(m.Table.Rows, a.cells(i, format.Number(a.rows.Y[i]), format.Number(a.Predictions.Values[i]), format.Number(off(i))))
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
		cells = append(cells, format.Number(v))
	}
	if a.rows.Inputs() > mostFeatures {
		cells = append(cells, "…")
	}
	return cells
}
