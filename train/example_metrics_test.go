package train_test

import (
	"fmt"
	"log"

	"github.com/affine-go/affine/train"
)

func ExampleNewConfusion() {
	c, err := train.NewConfusion([]int{0, 1, 1, 0, 1}, []int{0, 1, 1, 1, 0}, 2)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c)
	fmt.Println(c.Accuracy())
	// Output:
	// actual      0      1
	//      0      1      1
	//      1      1      2
	// 0.6
}
