package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// interruptedError ends the program with the exit code of an interrupt.
type interruptedError struct{ error }

// untilInterrupted returns a context that ends with the first Ctrl-C or
// termination signal. From then on the signals do what they do by default, so
// that a second one stops the program at once. done releases the signals.
func untilInterrupted(parent context.Context, stderr io.Writer) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			signal.Stop(signals)
			fmt.Fprintln(stderr, "\nfinishing this step and saving; interrupt again to stop at once")
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
	}
}
