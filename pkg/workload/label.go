package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"k8s.io/apimachinery/pkg/util/validation"
)

// labelPrefix is what comes before the Secret's name in the label of a pod template.
const labelPrefix = "kubectl-rotate/"

// Label is the label by which a pod template says from which edition of the Secret on its pods read. A name that is too
// long for a label is cut, with a hash of all of it at its end.
func Label(secret string) string {
	const hash = 8 // hexadecimal digits
	if len(secret) <= validation.LabelValueMaxLength {
		return labelPrefix + secret
	}
	sum := sha256.Sum256([]byte(secret))
	return labelPrefix + secret[:validation.LabelValueMaxLength-hash-1] + "-" + hex.EncodeToString(sum[:])[:hash]
}

// editionIn is the edition that labels tell, 0 if none.
func editionIn(labels map[string]string, label string) int {
	n, err := strconv.Atoi(labels[label])
	if err != nil || n < 0 {
		return 0
	}
	return n
}
