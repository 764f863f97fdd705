package cpu

// SumOfSquares returns Σ x², accumulated in float64.
func SumOfSquares[T Float](x []T) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}
