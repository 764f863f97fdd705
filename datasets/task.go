package datasets

import "fmt"

// Task is what is to be learnt from a dataset.
type Task int

const (
	// AutoTask is no task: in [Options] it asks the loader to find out from the
	// targets.
	AutoTask Task = iota
	// Classification has targets that are indices of classes.
	Classification
	// Regression has targets that are numbers.
	Regression
)

var taskNames = [...]string{"auto", "classification", "regression"}

// ParseTask returns the task with the given name: auto, classification or
// regression.
func ParseTask(name string) (Task, error) {
	for i, n := range taskNames {
		if n == name {
			return Task(i), nil
		}
	}
	return AutoTask, usagef("task %q: want auto, classification or regression", name)
}

// String returns the name that [ParseTask] understands.
func (t Task) String() string {
	if t < 0 || int(t) >= len(taskNames) {
		return fmt.Sprintf("task(%d)", int(t))
	}
	return taskNames[t]
}

// MarshalText writes the task's name, so that JSON holds "classification".
func (t Task) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads a name as [ParseTask] does.
func (t *Task) UnmarshalText(text []byte) error {
	task, err := ParseTask(string(text))
	if err != nil {
		return err
	}
	*t = task
	return nil
}
