package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/affine-go/affine/internal/atomicfile"
	"github.com/affine-go/affine/internal/regularfile"
	"github.com/affine-go/affine/internal/tensorfile"
	"go.yaml.in/yaml/v3"
)

// ReadConfig reads a file as Config's JSON. A setting that does not exist, a
// value of another type and anything after the settings are errors, as is
// what Validate refuses. The checksum that the config.json of a run has must
// match; who writes or changes a file by hand leaves it out.
func ReadConfig(path string) (Config, error) {
	c, _, err := readConfig(path)
	return c, err
}

func readConfig(path string) (c Config, sealed bool, err error) {
	if sealed, err = readJSON(path, &c); err != nil {
		return Config{}, false, err
	}
	if err := c.Validate(); err != nil {
		return Config{}, false, fmt.Errorf("%s: %w", path, err)
	}
	return c, sealed, nil
}

// ReadMetrics reads a metrics.json, as [ReadConfig] does a config.json.
func ReadMetrics(path string) (*Metrics, error) {
	m := new(Metrics)
	if _, err := readJSON(path, m); err != nil {
		return nil, err
	}
	return m, nil
}

// maxJSON bounds the JSON files that are read: metrics of 1,000 classes have a
// million counts.
const maxJSON = 64 << 20

// readJSON reads a JSON object and tells whether it has a checksum.
func readJSON(path string, v any) (sealed bool, err error) {
	data, err := regularfile.Read(path, maxJSON)
	if err != nil {
		return false, err
	}
	if data, sealed, err = unsealed(data); err == nil {
		err = decodeStrictly(data, v)
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return sealed, nil
}

// writeJSON replaces the file at path by the JSON object of v with a checksum
// as its last member.
func writeJSON(path string, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return atomicfile.WriteFile(path, sealed(b.Bytes()))
}

// The checksum of a JSON file is the SHA-256 of the file in which its own
// digits are zeros.
const (
	sealStart  = ",\n  \"checksum\": \"sha256:"
	sealDigits = 2 * sha256.Size
	sealEnd    = "\"\n}\n"
	plainEnd   = "\n}\n" // without a checksum
)

// sealed adds the checksum to an indented JSON object that is not empty.
func sealed(object []byte) []byte {
	zeros := strings.Repeat("0", sealDigits)
	data := slices.Concat(bytes.TrimSuffix(object, []byte(plainEnd)), []byte(sealStart), []byte(zeros), []byte(sealEnd))
	sum := sha256.Sum256(data)
	hex.Encode(data[len(data)-len(sealEnd)-sealDigits:], sum[:])
	return data
}

// unsealed checks the checksum, if there is one, and returns the object without
// it.
func unsealed(data []byte) (object []byte, sealed bool, err error) {
	start := len(data) - len(sealEnd) - sealDigits - len(sealStart)
	if start < 0 || !bytes.HasPrefix(data[start:], []byte(sealStart)) || !bytes.HasSuffix(data, []byte(sealEnd)) {
		if bytes.Contains(data, []byte(`"checksum"`)) {
			return nil, false, fmt.Errorf("the checksum is not where it was written: %w", ErrDamaged)
		}
		return data, false, nil
	}
	digits := data[start+len(sealStart):][:sealDigits]
	want := string(digits)
	copy(digits, strings.Repeat("0", sealDigits))
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != want {
		return nil, true, ErrDamaged
	}
	return append(data[:start], plainEnd...), true, nil
}

// ErrDamaged is wrapped by the error for a file that is not what was written.
// Who changed a JSON file by hand takes the line with the checksum out of it.
var ErrDamaged = tensorfile.ErrDamaged

// Merge overwrites the settings that text names, as JSON or YAML with the names
// of Config's JSON. A name that does not exist or a value of another type is an
// error. A run's config.json names all settings.
func (c *Config) Merge(text []byte) error {
	settings, err := parseSettings(text)
	if err != nil {
		return err
	}
	data, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	return decodeStrictly(data, c)
}

// parseSettings reads settings as a map. The checksum of a run's file is no
// setting.
func parseSettings(text []byte) (map[string]any, error) {
	var settings map[string]any
	if err := yaml.Unmarshal(text, &settings); err != nil {
		return nil, errors.New(strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "yaml: ")), " "))
	}
	delete(settings, "checksum")
	return settings, nil
}

// decodeStrictly reads one JSON value and nothing else into v. Errors say at
// which byte.
func decodeStrictly(data []byte, v any) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return errors.New("empty, want JSON")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("JSON ends at byte %d before it is complete", len(data))
	case errors.As(err, &syntax):
		return fmt.Errorf("byte %d: %w", syntax.Offset, err)
	case errors.As(err, &kind):
		return fmt.Errorf("byte %d: %s is a %s, want a %v", kind.Offset, kind.Field, kind.Value, kind.Type)
	case err != nil:
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("byte %d: there is something after the JSON", d.InputOffset())
	}
	return nil
}

// differences describes the settings in which now differs from those of a run.
func differences(before, now Config) ([]string, error) {
	a, err := settings(before)
	if err != nil {
		return nil, err
	}
	b, err := settings(now)
	if err != nil {
		return nil, err
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			a[name] = nil
		}
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if !bytes.Equal(a[name], b[name]) {
			list = append(list, fmt.Sprintf("%s is %s, the run has %s", name, orUnset(b[name]), orUnset(a[name])))
		}
	}
	return list, nil
}

// differencesButEpochs leaves out the one setting that a resumed run may have
// otherwise.
func differencesButEpochs(before, now Config) ([]string, error) {
	before.Epochs = now.Epochs
	return differences(before, now)
}

func settings(c Config) (map[string]json.RawMessage, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var byName map[string]json.RawMessage
	return byName, json.Unmarshal(data, &byName)
}

func orUnset(value json.RawMessage) string {
	if value == nil {
		return "unset"
	}
	return string(value)
}
