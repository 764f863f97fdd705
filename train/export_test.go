package train

// ReadCheckpoint reads a checkpoint for tests of what is refused.
func ReadCheckpoint(path string) error {
	_, err := readCheckpoint(path)
	return err
}
