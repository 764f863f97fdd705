package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/layer/device"
	"github.com/agnivade/levenshtein"
	"github.com/alecthomas/kong"
	"gorgonia.org/tensor"
)

var (
	dtypeNames = []string{"float32", "float64"}
	dtypes     = map[string]tensor.Dtype{"float32": tensor.Float32, "float64": tensor.Float64}
)

// parseActivation is layer.ParseActivation with the nearest name in its error.
func parseActivation(name string) (layer.Activation, error) {
	word, _, _ := strings.Cut(strings.ToLower(name), "(")
	if err := oneOf("--activation", word, layer.ActivationNames()); err != nil {
		return layer.Activation{}, err
	}
	a, err := layer.ParseActivation(name)
	if err != nil {
		return a, usagef("--activation: %w", err)
	}
	return a, nil
}

// openDevice opens a device by name; a name that can never be is wrong use, a
// card that is not there is a failure.
func openDevice(name string) (device.Device, error) {
	if err := checkDeviceName(name); err != nil {
		return nil, err
	}
	return device.Open(name)
}

func checkDeviceName(name string) error {
	word, number, numbered := strings.Cut(name, ":")
	if !numbered {
		return oneOf("--device", word, []string{"auto", "cpu", "cuda"})
	}
	if word != "cuda" || number == "" || strings.Trim(number, "0123456789") != "" {
		return usagef("--device %q: want auto, cpu, cuda or cuda:N with a card's number N", name)
	}
	return nil
}

// checkRows refuses a --n that was given and is no number of rows.
func checkRows(n *int) error {
	if n != nil && *n < 1 {
		return usagef("--n %d: want at least 1 row", *n)
	}
	return nil
}

func parseTask(name string) (datasets.Task, error) {
	if err := oneOf("--task", name, []string{"auto", "classification", "regression"}); err != nil {
		return datasets.AutoTask, err
	}
	return datasets.ParseTask(name)
}

// parseWidths reads "64,64", or "none" for a model without hidden layers.
func parseWidths(list string) ([]int, error) {
	if list == "" || list == "none" {
		return []int{}, nil
	}
	var widths []int
	for word := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n < 1 {
			return nil, usagef("--hidden %q: want widths of at least 1 separated by commas, such as 64,64, or none", list)
		}
		widths = append(widths, n)
	}
	return widths, nil
}

// widthList writes widths as parseWidths reads them.
func widthList(widths []int) string {
	if len(widths) == 0 {
		return "none"
	}
	words := make([]string, len(widths))
	for i, n := range widths {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ",")
}

// usageError is wrong use of the command line: exit code 2.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// unknown says that there is no such thing as name and what was likely meant.
func unknown(what, name string, valid []string) error {
	return usagef("unknown %s %q, did you mean %s?", what, name, strings.Join(nearest(name, valid), " or "))
}

// oneOf refuses a value that is not one of the valid names.
func oneOf(flag, value string, valid []string) error {
	if slices.Contains(valid, value) {
		return nil
	}
	return usagef("%s %q: want one of %s; did you mean %s?", flag, value, strings.Join(valid, ", "), nearest(value, valid)[0])
}

// nearest returns the two valid names that take the fewest edits to reach. A
// name that is a longer or shorter form of a valid one counts as near.
func nearest(name string, valid []string) []string {
	distance := func(v string) int {
		n := min(len(name), len(v))
		return min(levenshtein.ComputeDistance(name, v), levenshtein.ComputeDistance(name[:n], v[:n])+1)
	}
	name = strings.ToLower(name)
	sorted := slices.Clone(valid)
	slices.SortStableFunc(sorted, func(a, b string) int { return cmp.Compare(distance(a), distance(b)) })
	return sorted[:min(2, len(sorted))]
}

// counted returns a number of things: 1 row, 2 rows.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

var (
	negative    = regexp.MustCompile(`^-\.?[0-9]`)
	longFlag    = regexp.MustCompile(`^--[a-z][a-z0-9-]*$`)
	wrongType   = regexp.MustCompile(`^(--[a-z0-9-]+): expected (?:a valid \d+ bit |an? )?([a-z]+)(?: value)? but got "(.*?)"(?: \((.*?)\))?`)
	wrongBool   = regexp.MustCompile(`^(--[a-z0-9-]+): bool value must be .* but got "(.*)"`)
	wanted      = map[string]string{"float": "a number", "int": "a whole number", "uint": "a whole number of at least 0", "string": "a value"}
	missingWord = regexp.MustCompile(`^expected "(.*)"$`)
)

// joinNegative makes one word of a flag and the negative number after it, which
// the parser would take for short flags.
func joinNegative(args []string) []string {
	var joined []string
	for i := 0; i < len(args); i++ {
		if i+1 < len(args) && longFlag.MatchString(args[i]) && negative.MatchString(args[i+1]) {
			joined = append(joined, args[i]+"="+args[i+1])
			i++
			continue
		}
		joined = append(joined, args[i])
	}
	return joined
}

// parseError says in the words of this program what the parser did not take.
func parseError(err error) error {
	text := err.Error()
	if m := wrongType.FindStringSubmatch(text); m != nil {
		want := wanted[m[2]]
		if want == "" {
			want = m[2]
		}
		if m[4] == "<EOL>" {
			return fmt.Errorf("%s: the value is missing, want %s", m[1], want)
		}
		return fmt.Errorf("%s %q: want %s", m[1], m[3], want)
	}
	if m := wrongBool.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%s %q: want true or false", m[1], m[2])
	}
	if m := missingWord.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("the argument %s is missing", m[1])
	}
	return err
}

// flagNames are the long flags of the whole program and of a command.
func flagNames(nodes ...*kong.Node) []string {
	var names []string
	for _, n := range nodes {
		for _, f := range n.Flags {
			names = append(names, "--"+f.Name)
		}
	}
	return names
}
