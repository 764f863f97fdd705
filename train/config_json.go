package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ReadConfig reads a file as Config's JSON. A setting that does not exist, a
// value of another type and anything behind the settings are errors, as is
// what Validate refuses.
func ReadConfig(path string) (Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	var c Config
	if err := decodeStrictly(data, &c); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

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
		return fmt.Errorf("byte %d: there is something behind the JSON", d.InputOffset())
	}
	return nil
}

// differences describes the settings in which two configs differ.
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
