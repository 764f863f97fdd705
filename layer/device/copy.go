package device

// ToHost returns a copy of data in the host's own memory. The device makes it,
// after all work before: a card's memory would move to the host if that read it.
func ToHost[T Float](d Device, data []T) ([]T, error) {
	c := make([]T, len(data))
	return c, For[T](d).Activate(c, data, Activation{Kind: Identity})
}
