package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

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
	return errors.New(strings.TrimSuffix(text, "?"))
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
