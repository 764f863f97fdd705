// Package browser drives a headless Chromium for tests of pages, by chromedp.
package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Browser is a running Chromium with one page.
type Browser struct {
	ctx    context.Context
	cancel []context.CancelFunc

	mu   sync.Mutex
	told Told
}

// Told is what Chromium said on its own account since a page was opened.
type Told struct {
	Messages []string // on the console: errors, warnings, output
	Requests []string // addresses that were asked for
}

// patience is how long an answer may take.
const patience = 30 * time.Second

// Start opens Chromium, the program of that name, with an empty profile of its
// own.
func Start(program string) (*Browser, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		// Containers have neither the user namespaces of the sandbox nor a large
		// shared memory.
		chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true), chromedp.DisableGPU)
	allocator, endAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, endPage := chromedp.NewContext(allocator)
	b := &Browser{ctx: ctx, cancel: []context.CancelFunc{endPage, endAllocator}}
	chromedp.ListenTarget(ctx, b.listen)
	// The first Run starts the program; a deadline on its context would end it.
	if err := chromedp.Run(ctx, network.Enable(), log.Enable(), runtime.Enable()); err != nil {
		b.end()
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return b, nil
}

// Close ends Chromium and removes its profile.
func (b *Browser) Close() error {
	err := chromedp.Cancel(b.ctx) // waits for the end
	b.end()
	return err
}

func (b *Browser) end() {
	for _, cancel := range b.cancel {
		cancel()
	}
}

func (b *Browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		b.told.Messages = append(b.told.Messages, e.Entry.Text)
	case *runtime.EventExceptionThrown:
		b.told.Messages = append(b.told.Messages, e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		text, _ := json.Marshal(e.Args)
		b.told.Messages = append(b.told.Messages, string(text))
	case *network.EventRequestWillBeSent:
		b.told.Requests = append(b.told.Requests, e.Request.URL)
	}
}

// Told returns what was told since the page was opened.
func (b *Browser) Told() Told {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.told
}

func (b *Browser) run(what string, actions ...chromedp.Action) error {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Open shows a file and waits until it is loaded.
func (b *Browser) Open(path string) error {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.told = Told{}
	b.mu.Unlock()
	address := url.URL{Scheme: "file", Path: filepath.ToSlash(absolute)}
	return b.run("open "+path, chromedp.Navigate(address.String()))
}

// Evaluate runs an expression of JavaScript on the page and reads its value
// into result. What the page throws is an error.
func (b *Browser) Evaluate(expression string, result any) error {
	await := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	return b.run(expression, chromedp.Evaluate(expression, result, await))
}

// View sets the size of the window in CSS pixels, the pixels of the screen for
// each of them, and whether the reader prefers dark pages.
func (b *Browser) View(width, height int64, scale float64, dark bool) error {
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	return b.run("set the view", emulation.SetDeviceMetricsOverride(width, height, scale, width < 600),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
}

// Scripts switches JavaScript on or off for the next page.
func (b *Browser) Scripts(on bool) error {
	return b.run("switch scripts", emulation.SetScriptExecutionDisabled(!on))
}

// MovePointer moves the mouse to a place in the window, in CSS pixels.
func (b *Browser) MovePointer(x, y float64) error {
	return b.run("move the pointer", input.DispatchMouseEvent(input.MouseMoved, x, y))
}

// Press presses and releases a key by its name, such as "ArrowRight".
func (b *Browser) Press(key string) error {
	return b.run("press "+key, input.DispatchKeyEvent(input.KeyDown).WithKey(key).WithCode(key), input.DispatchKeyEvent(input.KeyUp).WithKey(key).WithCode(key))
}

// Screenshot returns the whole page as PNG.
func (b *Browser) Screenshot() (png []byte, err error) {
	return png, b.run("take a screenshot", chromedp.ActionFunc(func(ctx context.Context) error {
		png, err = page.CaptureScreenshot().WithCaptureBeyondViewport(true).Do(ctx)
		return err
	}))
}

// PDF returns the page as it prints, on A4.
func (b *Browser) PDF() (pdf []byte, err error) {
	return pdf, b.run("print", chromedp.ActionFunc(func(ctx context.Context) error {
		pdf, _, err = page.PrintToPDF().WithPreferCSSPageSize(true).WithPaperWidth(8.27).WithPaperHeight(11.69).Do(ctx)
		return err
	}))
}
