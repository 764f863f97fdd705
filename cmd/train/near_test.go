package main

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// near FILE PATH PATH DISTANCE checks that two numbers of a JSON object are no
// further apart than the distance; FILE may be stdout. PATH is made of names
// with dots between them.
func near(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: near FILE PATH PATH DISTANCE")
	}
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &object))
	numbers := [2]float64{}
	for i, path := range args[1:3] {
		var value any = object
		for step := range strings.SplitSeq(path, ".") {
			fields, _ := value.(map[string]any)
			value = fields[step]
		}
		number, ok := value.(float64)
		if !ok {
			ts.Fatalf("%s is %v, want a number", path, value)
		}
		numbers[i] = number
	}
	distance, err := strconv.ParseFloat(args[3], 64)
	ts.Check(err)
	if math.Abs(numbers[0]-numbers[1]) > distance {
		ts.Fatalf("%s is %v and %s is %v, want them within %v", args[1], numbers[0], args[2], numbers[1], distance)
	}
}
