package browser

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"time"
)

// Open shows a file and waits until it is loaded.
func (b *Browser) Open(path string) error {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.events = nil
	b.mu.Unlock()
	address := url.URL{Scheme: "file", Path: absolute}
	var answer struct{ ErrorText string }
	if err := b.Call("Page.navigate", map[string]any{"url": address.String()}, &answer); err != nil {
		return err
	}
	if answer.ErrorText != "" {
		return fmt.Errorf("open %s: %s", path, answer.ErrorText)
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, e := range b.Events() {
			if e.Method == "Page.loadEventFired" {
				return nil
			}
		}
	}
	return fmt.Errorf("open %s: not loaded within %v", path, patience)
}

// Evaluate runs an expression of JavaScript on the page and reads its value
// into result. What the page throws is an error.
func (b *Browser) Evaluate(expression string, result any) error {
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Exception struct{ Description string }
		}
	}
	params := map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}
	if err := b.Call("Runtime.evaluate", params, &answer); err != nil {
		return err
	}
	if answer.ExceptionDetails != nil {
		return fmt.Errorf("%s: %s", expression, answer.ExceptionDetails.Exception.Description)
	}
	if len(answer.Result.Value) == 0 {
		return fmt.Errorf("%s: has no value", expression)
	}
	return json.Unmarshal(answer.Result.Value, result)
}

// View sets the size of the window in CSS pixels, the pixels of the screen for
// each of them, and whether the reader prefers dark pages.
func (b *Browser) View(width, height int, scale float64, dark bool) error {
	err := b.Call("Emulation.setDeviceMetricsOverride", map[string]any{
		"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}, nil)
	if err != nil {
		return err
	}
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	return b.Call("Emulation.setEmulatedMedia", map[string]any{
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// Scripts switches JavaScript on or off for the next page.
func (b *Browser) Scripts(on bool) error {
	return b.Call("Emulation.setScriptExecutionDisabled", map[string]any{"value": !on}, nil)
}

// MovePointer moves the mouse to a place in the window, in CSS pixels.
func (b *Browser) MovePointer(x, y float64) error {
	return b.Call("Input.dispatchMouseEvent", map[string]any{"type": "mouseMoved", "x": x, "y": y}, nil)
}

// Press presses and releases a key by its name, such as "ArrowRight".
func (b *Browser) Press(key string) error {
	for _, event := range []string{"keyDown", "keyUp"} {
		if err := b.Call("Input.dispatchKeyEvent", map[string]any{"type": event, "key": key, "code": key}, nil); err != nil {
			return err
		}
	}
	return nil
}

// Screenshot returns the whole page as PNG.
func (b *Browser) Screenshot() ([]byte, error) {
	return b.picture("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true})
}

// PDF returns the page as it prints.
func (b *Browser) PDF() ([]byte, error) {
	return b.picture("Page.printToPDF", map[string]any{"preferCSSPageSize": true, "paperWidth": 8.27, "paperHeight": 11.69})
}

func (b *Browser) picture(method string, params map[string]any) ([]byte, error) {
	var answer struct{ Data string }
	if err := b.Call(method, params, &answer); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(answer.Data)
}
