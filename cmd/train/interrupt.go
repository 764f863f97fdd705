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
// termination signal, when it says what happens now. From then on the signals
// do what they do by default, so that a second one stops the program at once.
// done releases the signals.
func untilInterrupted(parent context.Context, stderr io.Writer, what string) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			signal.Stop(signals)
			fmt.Fprintf(stderr, "\n%s; interrupt again to stop at once\n", what)
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
	}
}
