package report

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/history"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

const day = 24 * time.Hour

// targets are one of each way in which a target can stand.
func targets() []Status {
	return []Status{
		{Name: "postgres", Kind: "postgres", Namespace: "shop", Secret: "postgresql-credentials", Owner: "SRE", Version: 2, ID: "backend_v2",
			Rotated: noon.Add(-12 * day), Due: noon.Add(78 * day), Phase: PhaseStandby, BehindKnown: true, RunKnown: true},
		{Name: "orders", Kind: "postgres", Namespace: "shop", Secret: "orders-db", Owner: "Orders", Version: 8, ID: "orders_v8",
			Rotated: noon.Add(-3 * time.Minute), Due: noon.Add(90 * day), Phase: "drain", Recorded: true, From: 7, To: 8, By: "anna@example.com", Since: noon.Add(-4 * time.Minute)},
		{Name: "reports", Kind: "postgres", Namespace: "shop", Secret: "reports-db", Version: 3, ID: "reports_v3",
			Rotated: noon.Add(-101 * day), Due: noon.Add(-11 * day), Overdue: true, Phase: "rollout", Stuck: "ImagePullBackOff", From: 3, To: 4, By: "cron",
			Run: &Run{By: "cron on runner-1, pid 17", Doing: "rotating", Since: noon.Add(-2 * time.Minute), Heard: noon.Add(-4 * time.Second)}, RunKnown: true,
			Since: noon.Add(-26 * time.Hour), Behind: []string{"deployment/reports", "pod/reports-7d-x", "pod/reports-7d-y"}, BehindKnown: true},
		{Name: "fresh", Kind: "postgres", Namespace: "shop", Secret: "fresh-db", Owner: "SRE", Phase: PhaseStandby, Recorded: true},
		{Name: "lost", Kind: "postgres", Namespace: "shop", Secret: "lost-db", Owner: "SRE", Error: "secret \"lost-db\" not found"},
	}
}

func TestListings(t *testing.T) {
	for name, l := range map[string]Listing{
		"status.txt":        {},
		"status.wide.txt":   {Format: Wide, AllNamespaces: true},
		"status.plain.txt":  {NoHeaders: true, Style: Style{Color: true}},
		"status.80.txt":     {Style: Style{Width: 80}},
		"status.40.txt":     {Style: Style{Width: 40}},
		"status.json":       {Format: JSONs},
		"status.yaml":       {Format: YAML},
		"status.names.txt":  {Format: Name},
		"status.path.txt":   {Format: `jsonpath={range .items[*]}{.name}{"\t"}{.version}{"\n"}{end}`},
		"status.nobody.txt": {Format: "jsonpath={.items[0].nothing}"},
	} {
		l.Now = noon
		var out strings.Builder
		if err := l.Write(NewPrinter(&out), targets()); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		golden(t, name, out.String())
	}
}

func TestListingWithoutSuchAnItem(t *testing.T) {
	err := Listing{Format: "jsonpath={.items[7].name}"}.Write(NewPrinter(&strings.Builder{}), targets())
	if err == nil || err.Error() != "writing the status: array index out of bounds: index 7, length 5" {
		t.Errorf("got %v", err)
	}
}

func TestListingOfNothing(t *testing.T) {
	for format, want := range map[Format]string{
		Table: "NAME   KIND   VERSION   AGE   DUE   PHASE   BEHIND   OWNER\n",
		Name:  "",
		YAML:  "apiVersion: kubectl-rotate/v1alpha1\nitems: []\nkind: StatusList\n",
	} {
		var out strings.Builder
		if err := (Listing{Format: format}).Write(NewPrinter(&out), nil); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%q: %s", format, diff)
		}
	}
}

func TestDetail(t *testing.T) {
	s := targets()[2]
	s.Back, s.Compromised = true, true
	list := []rotation.Step{{Name: "begin", Goal: "the decision is recorded"}, {Name: "install", Goal: "everywhere"}, {Name: "rollout"}, {Name: "drain"}}
	s.Steps = Steps(list, []rotation.State{
		{Phase: rotation.Done, Note: "v3 to v4, decided by cron"},
		{Phase: rotation.Done, Note: "reports_v4: accepts (login)", Items: []rotation.Item{{Name: "reports", Phase: rotation.Done, Note: "accepts (login)"}}},
		{Phase: rotation.Waiting, Note: "1 of 3 pods on v4", Items: []rotation.Item{
			{Name: "pod/reports-9f-a", Phase: rotation.Done, Note: "ready"}, {Name: "pod/reports-7d-x", Phase: rotation.ToDo, Note: "old"}, {Name: "pod/reports-7d-y", Phase: rotation.Doubtful}}},
		{Phase: rotation.Waiting, Note: "2 sessions of reports_v3", Until: noon.Add(time.Minute)},
	})
	golden(t, "detail.txt", Listing{Now: noon}.detail(s))
	golden(t, "detail.40.txt", Listing{Now: noon, Style: Style{Width: 40, Color: true}}.detail(s))
	golden(t, "detail.standby.txt", Listing{Now: noon}.detail(targets()[0]))
	golden(t, "detail.error.txt", Listing{Now: noon}.detail(targets()[4]))
	s.Compromised, s.Back, s.RunKnown = false, false, true
	s.Next, s.Undo = "kubectl rotate postgres reports --context prod -n shop", "kubectl rotate abort reports --context prod -n shop"
	for i, took := range []history.Seconds{2, 0.4, 3725, 0} {
		s.Steps[i].Took, s.Steps[i].Usually = took, 42
	}
	golden(t, "detail.times.txt", Listing{Now: noon}.detail(s))
	golden(t, "handover.txt", Handover(s, noon))
	golden(t, "handover.standby.txt", Handover(targets()[0], noon))
	finished := s
	finished.Phase, finished.Next, finished.Undo, finished.Stuck, finished.Steps = PhaseStandby, "", "", "", s.Steps[:2]
	golden(t, "handover.finished.txt", Handover(finished, noon))
	golden(t, "handover.error.txt", Handover(targets()[4], noon))
	s.Back, s.Run, s.Stuck, s.Next, s.Undo = true, nil, "", s.Undo, ""
	for i := range s.Steps {
		s.Steps[i] = StepStatus{Name: s.Steps[i].Name}
	}
	golden(t, "handover.back.txt", Handover(s, noon))
}

func TestParseFormat(t *testing.T) {
	for _, good := range []string{"", "wide", "json", "yaml", "name", "timeline", "jsonpath={.items}"} {
		if f, err := ParseFormat(good); err != nil || string(f) != good {
			t.Errorf("%q: %q, %v", good, f, err)
		}
	}
	for bad, want := range map[string]string{
		"xml":          `unknown output format "xml": use wide, json, yaml, name or jsonpath=TEMPLATE`,
		"jsonpath={.a": "reading the template of jsonpath: unclosed action",
	} {
		if _, err := ParseFormat(bad); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
