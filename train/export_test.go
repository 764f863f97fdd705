package train

// ReadCheckpoint reads a checkpoint for tests of what is refused.
func ReadCheckpoint(path string) error {
	_, err := readCheckpoint(path)
	return err
}

// Saver returns what a training does when it saves the state that is on disk in
// the run directory from.
func Saver(from string) (save func(to string) error, err error) {
	run, err := runDir(from).load()
	if err != nil {
		return nil, err
	}
	h, err := ReadHistory(runDir(from).file(HistoryFile))
	if err != nil {
		return nil, err
	}
	return func(to string) error { return runDir(to).save(run.checkpoint, h, true) }, nil
}
