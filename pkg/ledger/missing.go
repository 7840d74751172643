package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// mostNames is how many names an error or a hint lists.
const mostNames = 5

// missing is the refusal for an application's Secret that is not there. It names those with a similar name, where the
// user may list Secrets.
func (l *Ledger) missing(ctx context.Context, err error) error {
	hint := "choose another namespace with -n, or say in the target's config what the Secret is called"
	if names := l.similar(ctx); len(names) > 0 {
		hint = fmt.Sprintf("there is %s; %s", strings.Join(names, ", "), hint)
	}
	return rotation.Refuse(rotation.WithHint(fmt.Errorf("%s does not exist: %w", l.secret(), err), hint))
}

// similar are the names in the namespace that may have been meant, the nearest first.
func (l *Ledger) similar(ctx context.Context) []string {
	list, err := l.Secrets.Secrets(l.Namespace).List(ctx, metav1.ListOptions{Limit: 500})
	if err != nil {
		return nil
	}
	var names []string
	for _, found := range list.Items {
		if found.Type != SecretType && near(l.Name, found.Name) {
			names = append(names, found.Name)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return distance(l.Name, a) - distance(l.Name, b) })
	return names[:min(len(names), mostNames)]
}

// near says whether one name may have been meant for another.
func near(a, b string) bool {
	return strings.Contains(a, b) || strings.Contains(b, a) || distance(a, b) <= max(len(a), len(b))/3
}

// distance is how many bytes have to be added, removed or replaced to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := before
			if a[i] != b[j] {
				replaced++
			}
			before = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
