package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"maps"
	"regexp"
	"slices"

	"github.com/affine-go/affine/train"
)

//go:embed page
var files embed.FS

var templates = template.Must(template.New("").
	Funcs(template.FuncMap{
		"cell":  func(row, column int) [2]int { return [2]int{row, column} },
		"flags": flags,
	}).
	ParseFS(files, "page/*.html"))

// Options say what a page needs to know besides the files of a run.
type Options struct {
	// Repeat returns the command line that trains with the settings again, or
	// "" if no command line can. Without it pages show the settings alone.
	Repeat func(c train.Config) string
}

func (o *Options) repeat(c train.Config) string {
	if o.Repeat == nil {
		return ""
	}
	return o.Repeat(c)
}

// page is what every page has.
type page struct {
	Title  string // of the browser's window
	Kicker string // above the heading
	Policy template.HTML
	Style  template.CSS
	Script template.JS
	Body   any
}

// write fills in one of the templates.
func write(w io.Writer, name, title, kicker string, body any) error {
	style, script := read("page/report.css"), read("page/report.js")
	p := page{
		Title: title, Kicker: kicker, Policy: policy(script),
		Style: paletteStyles() + template.CSS(style), Script: template.JS(script), Body: body,
	}
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// read returns an embedded file.
func read(name string) string {
	data, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it was there when the program was built
	}
	return string(data)
}

// policy forbids the page to load anything and to run any script but its own.
func policy(script string) template.HTML {
	sum := sha256.Sum256([]byte(script))
	return template.HTML(fmt.Sprintf(
		`<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-%s'; base-uri 'none'; form-action 'none'">`,
		base64.StdEncoding.EncodeToString(sum[:])))
}

// flag is a word of a command line with its value, not to be broken, and what
// comes after it.
type flag struct{ Text, Space string }

var betweenFlags = regexp.MustCompile(`\s+(\\\s+)?--`)

// flags takes a command line apart in front of its flags.
func flags(command string) []flag {
	var list []flag
	start := 0
	for _, gap := range betweenFlags.FindAllStringIndex(command, -1) {
		end := gap[1] - len("--")
		list = append(list, flag{command[start:gap[0]], command[gap[0]:end]})
		start = end
	}
	return append(list, flag{Text: command[start:]})
}

// tile is a number that stands out.
type tile struct{ Name, Value, Note string }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
