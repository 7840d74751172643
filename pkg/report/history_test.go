package report

import (
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/history"
)

// histories are one of each way in which a rotation can end.
func histories() []history.Story {
	return []history.Story{
		{Target: "postgres", Namespace: "shop", Attempt: 1, From: 1, To: 2, By: []string{"anna@example.com", "ben@example.com"}, Runs: 2,
			Began: noon.Add(-90 * day), Ended: noon.Add(-90*day + 12*time.Minute), Outcome: history.Finished,
			Steps: []history.Step{
				{Name: "begin", Took: 2.5, Done: true, Note: "v1 to v2, decided by anna@example.com"},
				{Name: "install", Took: 0.4, Done: true, Note: "backend_v2: accepts (login as backend_v2, acting as backend), at 2 places"},
				{Name: "rollout", Took: 42, Done: true, Note: "3 of 3 pods on v2"},
				{Name: "soak", Took: 600, Done: true, Note: "refused for 10m"},
				{Name: "retire", Took: 0.01, Done: true, Note: "backend gone"},
			},
			Notes: []history.Note{
				{At: noon.Add(-90 * day), By: "anna@example.com", Step: "begin", Kind: "proceed", Text: "rotate v1 to v2"},
				{At: noon.Add(-90*day + time.Minute), By: "ben@example.com", Step: "install", Kind: "unproven", Text: "the pooler could not be asked"},
			}},
		{Target: "postgres", Namespace: "shop", Attempt: 2, From: 2, To: 3, By: []string{"cron"}, Runs: 1, Began: noon.Add(-time.Hour),
			Ended: noon.Add(-59 * time.Minute), Outcome: history.Aborted, Error: "rollout failed: 1 of 3 pods on v3; pod/backend-5d-1: CrashLoopBackOff",
			Steps: []history.Step{{Name: "rollout", Took: 31, Note: "1 of 3 pods on v3"}}},
		{Target: "postgres", Namespace: "shop", Attempt: 3, From: 3, To: 2, Back: true, By: []string{"cron"}, Runs: 1, Began: noon.Add(-59 * time.Minute),
			Ended: noon.Add(-58 * time.Minute), Outcome: history.Finished, Steps: []history.Step{{Name: "rollout", Took: 12, Done: true}}},
		{Target: "postgres", Namespace: "shop", Attempt: 4, From: 2, To: 4, Compromised: true, By: []string{"anna@example.com"}, Runs: 1,
			Began: noon.Add(-time.Minute), Outcome: history.UnderWay, Steps: []history.Step{{Name: "install", Took: 0.4, Done: true}}},
	}
}

func TestHistories(t *testing.T) {
	for name, l := range map[string]Listing{
		"history.txt":      {},
		"history.wide.txt": {Format: Wide, AllNamespaces: true},
		"history.40.txt":   {Style: Style{Width: 40}, NoHeaders: true},
		"history.json":     {Format: JSONs},
		"history.yaml":     {Format: YAML},
		"history.path.txt": {Format: `jsonpath={range .items[*]}{.attempt}{"\t"}{.outcome}{"\n"}{end}`},
	} {
		l.Now = noon
		var out strings.Builder
		if err := l.WriteHistory(NewPrinter(&out), histories()); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		golden(t, name, out.String())
	}
}

func TestStoryOfOneRotation(t *testing.T) {
	golden(t, "story.txt", Listing{Now: noon}.story(histories()[0]))
	golden(t, "story.80.txt", Listing{Now: noon, Style: Style{Width: 80}}.story(histories()[1]))
	golden(t, "story.40.txt", Listing{Now: noon, Style: Style{Width: 40}}.story(histories()[2]))
}
