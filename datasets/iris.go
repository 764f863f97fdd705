package datasets

import (
	"bytes"
	_ "embed"
	"fmt"
)

//go:embed iris.csv
var irisCSV []byte

var irisInfo = Info{
	Name:       "iris",
	Summary:    "150 flowers of three species, measured",
	Task:       Classification,
	Features:   []string{"sepal length", "sepal width", "petal length", "petal width"},
	TargetName: "species",
	Classes:    []string{"setosa", "versicolor", "virginica"},
	Rows:       150,
	Fixed:      true,
	Formula:    "measured by Anderson, in centimetres: 50 flowers of each species",
	Source:     "Fisher 1936, The use of multiple measurements in taxonomic problems; values as in scikit-learn's load_iris",
}

// Iris returns the 150 irises that E. Anderson measured and R. A. Fisher
// published in "The use of multiple measurements in taxonomic problems", Annals
// of Eugenics 7 (1936): sepal and petal length and width in centimetres, 50
// flowers of each of three species, in Fisher's order.
//
// Rows 35 and 38, counted from 1, are (4.9, 3.1, 1.5, 0.2) and (4.9, 3.6, 1.4,
// 0.1) as Fisher printed them and as scikit-learn's load_iris has them. The
// widespread copy of the UCI repository differs there: (4.9, 3.1, 1.5, 0.1) and
// (4.9, 3.1, 1.5, 0.1).
func Iris() (*Dataset, error) {
	d, err := ReadCSV(bytes.NewReader(irisCSV), irisInfo.Name, Options{})
	if err != nil {
		return nil, fmt.Errorf("embedded data: %w", err)
	}
	d.Table = nil // numbers alone
	return d, nil
}
