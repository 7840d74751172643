package kubesecret

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

const board = "accepted-logins"

// boardSecret shows the IDs that are accepted, and one that is nobody's business here.
func boardSecret() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: board, Namespace: "default"}, Data: map[string][]byte{"ids": []byte("partner backend")}}
}

// withBoard is a store over a Secret, and a place that shows what to accept.
func withBoard(secrets corev1client.SecretsGetter) *Store {
	s := newStore(secrets)
	s.Also = []ledger.Place{Secret{Secrets: secrets, Namespace: "default", Name: board, Content: boardContent()}}
	return s
}

// boardContent is how the IDs stand in the data of a board.
func boardContent() Content {
	return Content{
		Keys: func(map[string][]byte) []string { return []string{"ids"} },
		Shown: func(c rotation.Credential, data map[string][]byte) error {
			if !slices.Contains(strings.Fields(string(data["ids"])), c.ID) {
				return fmt.Errorf("%s is not among them", c.ID)
			}
			return nil
		},
		Render: func(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error) {
			ids := strings.Fields(string(data["ids"]))
			if len(ids) == 0 {
				return nil, errors.New("nothing is shown at all")
			}
			for v := rotation.Version(1); v < 9; v++ {
				c, known := live[v]
				i := slices.Index(ids, c.ID)
				switch {
				case known && view.Accepts(v) && i < 0:
					ids = append(ids, c.ID)
				case known && !view.Accepts(v) && i >= 0:
					ids = slices.Delete(ids, i, i+1)
				}
			}
			return map[string][]byte{"ids": []byte(strings.Join(ids, " "))}, nil
		},
	}
}

func (s *apiServer) shown() string { return string(s.get(board).Data["ids"]) }

var both = rotation.View{Active: 1, Accept: []rotation.Version{1, 2}}

// What is shown follows each edition; what is nobody's business here stays.
func TestWhatIsShownFollowsTheEditions(t *testing.T) {
	server, client := serve(t, appSecret(), boardSecret())
	s := withBoard(client.CoreV1())
	_, err := s.Preflight(t.Context())
	must(t, err)
	begun(t, s)
	for _, step := range []struct {
		view rotation.View
		want string
	}{{both, "partner backend backend_v2"}, {rotation.View{Active: 2, Accept: []rotation.Version{1, 2}}, "partner backend backend_v2"}, {only(2), "partner backend_v2"}} {
		must(t, s.Publish(t.Context(), load(t, s).Revision, step.view))
		if rec := load(t, s); server.shown() != step.want || len(rec.Behind) > 0 || rec.Edited {
			t.Errorf("%v: it shows %q, and the record is %+v", step.view, server.shown(), rec)
		}
	}
}

// Before anything begins it has to show the credential in use, and to be there.
func TestWhatIsShownIsLookedAtBeforehand(t *testing.T) {
	wrong := boardSecret()
	wrong.Data["ids"] = []byte("partner")
	_, client := serve(t, appSecret(), wrong)
	if _, err := withBoard(client.CoreV1()).Preflight(t.Context()); !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), "backend is not among them") {
		t.Errorf("said: %v", err)
	}
	_, client = serve(t, appSecret())
	if _, err := withBoard(client.CoreV1()).Preflight(t.Context()); !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), board) || !strings.Contains(rotation.Hint(err), "setIn") {
		t.Errorf("said: %v (%s)", err, rotation.Hint(err))
	}
}

// What a step of a plan would write is told as it will be when its turn has come: after what the steps before it write.
func TestAPlanGoesByWhatIsWrittenBefore(t *testing.T) {
	server, client := serve(t, appSecret(), boardSecret())
	s := withBoard(client.CoreV1())
	begun(t, s)
	before := server.get(board)
	rec := load(t, s)
	const app, shown, note = "secret default/postgresql-credentials: ", "secret default/accepted-logins: ", "set annotation kubectl-rotate/record"
	for _, step := range []struct {
		view rotation.View
		want []string
	}{
		{both, []string{shown + "change key ids", app + note}},
		{rotation.View{Active: 2, Accept: []rotation.Version{1, 2}}, []string{app + "change key password", app + "change key url", app + "change key username", app + note}},
		{only(2), []string{shown + "change key ids", app + note}},
	} {
		got, err := s.Plan(t.Context(), rec, step.view)
		must(t, err)
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", step.view, diff)
		}
		rec.Editions = append(rec.Editions, rotation.Edition{N: rec.Latest().N + 1, View: step.view})
	}
	if diff := cmp.Diff(before, server.get(board)); diff != "" {
		t.Errorf("planning wrote (-before +after):\n%s", diff)
	}
}

// A ConfigMap that can't be written, or that somebody else writes, is refused as a Secret is, in words that fit it.
func TestAConfigMapThatIsNotOursToWrite(t *testing.T) {
	yes := true
	for _, c := range []struct {
		name       string
		edit       func(*corev1.Secret)
		want, hint string // "" is no refusal
		note       string
	}{
		{"as it should be", wrote("kubectl-create", "ids"), "", "", ""},
		{"immutable", func(s *corev1.Secret) { s.Immutable = &yes }, "configmap default/accepted-logins is immutable", "make a new ConfigMap", ""},
		{"of a chart", wrote("helm", "ids"), `is written by Helm release, which would take a rotated value back (seen: field manager "helm" of key ids)`, "let the chart refer to one", ""},
		{"of Argo CD", wrote("argocd-controller", "ids"), "is written by Argo CD", "out of the repository", ""},
		{"of Terraform", wrote("Terraform", "ids"), "is written by Terraform", "ignore changes of its data", ""},
		{"of an operator", owned("Keyring", true), "is written by Keyring db", "what makes it would write the old value back", ""},
		{"another key of a chart's", wrote("helm", "other"), "", "", ""},
		{"of a stranger", wrote("jwks-refresher", "ids"), "", "", `"jwks-refresher" wrote a rotated key`},
		{"applied from a file", annotated(corev1.LastAppliedConfigAnnotation, `{"data":{"ids":"partner backend"}}`), "", "", "writes the present value of ids back"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := boardSecret()
			c.edit(found)
			notes, err := state{Content: boardContent(), kind: "configmap", found: found}.Inspect(rotation.Credential{ID: "backend"})
			switch {
			case c.want == "":
				must(t, err)
			case !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), c.want) || !strings.Contains(rotation.Hint(err), c.hint) || strings.Contains(rotation.Hint(err), " Secret"):
				t.Errorf("said: %v (%s)", err, rotation.Hint(err))
			}
			if said := strings.Join(notes, "\n"); !strings.Contains(said, c.note) || c.note == "" && said != "" || strings.Contains(said, "readable form") {
				t.Errorf("noted: %q", said)
			}
		})
	}
}

// Somebody who puts back what is shown is noticed, and it is published again; what can't be read counts as edited.
func TestWhatIsShownIsPublishedAgain(t *testing.T) {
	server, client := serve(t, appSecret(), boardSecret())
	s := withBoard(client.CoreV1())
	begun(t, s)
	must(t, s.Publish(t.Context(), load(t, s).Revision, both))
	server.change(board, func(o *corev1.Secret) { o.Data["ids"] = []byte("partner backend") })
	if diff := cmp.Diff([]string{"secret default/" + board}, load(t, s).Behind); diff != "" {
		t.Fatalf("behind (-want +got):\n%s", diff)
	}
	must(t, s.Publish(t.Context(), load(t, s).Revision, both))
	if server.shown() != "partner backend backend_v2" || len(load(t, s).Behind) > 0 {
		t.Errorf("it shows %q", server.shown())
	}
	server.change(board, func(o *corev1.Secret) { o.Data["ids"] = []byte("") })
	if !load(t, s).Edited {
		t.Error("it can't be read, and nobody says so")
	}
}

// A publication that broke after what is shown had changed, and is taken back: whoever started in between holds less than the
// editions said, so that is an edition of its own.
func TestWhatWasShownForAWhileIsAnEdition(t *testing.T) {
	server, client := serve(t, appSecret(), boardSecret())
	s := withBoard(client.CoreV1())
	begun(t, s)
	must(t, s.Publish(t.Context(), load(t, s).Revision, both))
	active := rotation.View{Active: 2, Accept: []rotation.Version{1, 2}}
	must(t, s.Publish(t.Context(), load(t, s).Revision, active))
	server.pass(time.Minute)
	server.refuse = func(verb, of string) (int, string) {
		if verb == "patch" && of == name {
			return http.StatusServiceUnavailable, "the server is stopping"
		}
		return 0, ""
	}
	if err := s.Publish(t.Context(), load(t, s).Revision, only(2)); !errors.Is(err, rotation.ErrUnavailable) || server.shown() != "partner backend_v2" {
		t.Fatalf("it shows %q, %v", server.shown(), err)
	}
	server.refuse = nil
	must(t, intend(t, s, rotation.Intent{From: 2, To: 1, Attempt: 2, Back: true}))
	must(t, s.Publish(t.Context(), load(t, s).Revision, active))
	var views []rotation.View
	for _, e := range load(t, s).Editions {
		views = append(views, e.View)
	}
	if diff := cmp.Diff([]rotation.View{only(1), both, active, only(2), active}, views); diff != "" {
		t.Errorf("the editions (-want +got):\n%s", diff)
	}
	if server.shown() != "partner backend_v2 backend" || len(load(t, s).Behind) > 0 {
		t.Errorf("it shows %q, behind %v", server.shown(), load(t, s).Behind)
	}
}

// A ConfigMap of a real API server is written as a Secret is: in a compare-and-swap, with its other keys kept.
func TestAConfigMapShowsWhatToAccept(t *testing.T) {
	client := cluster(t)
	ns := namespace(t, client)
	s := withBoard(client.CoreV1())
	s.Namespace = ns
	s.Also = []ledger.Place{ConfigMap{ConfigMaps: client.CoreV1(), Namespace: ns, Name: board, Content: boardContent()}}
	app, maps := appSecret(), client.CoreV1().ConfigMaps(ns)
	app.Namespace = ns
	_, err := client.CoreV1().Secrets(ns).Create(t.Context(), app, metav1.CreateOptions{})
	must(t, err)
	_, err = maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: board}, Data: map[string]string{"ids": "partner backend", "other": "kept"}}, metav1.CreateOptions{})
	must(t, err)
	_, err = s.Preflight(t.Context())
	must(t, err)
	begun(t, s)
	rec := load(t, s)
	lines, err := s.Plan(t.Context(), rec, both)
	if err != nil || !slices.Contains(lines, fmt.Sprintf("configmap %s/%s: change key ids", ns, board)) {
		t.Errorf("the plan is %q, %v", lines, err)
	}
	must(t, s.Publish(t.Context(), rec.Revision, both))
	shown, err := maps.Get(t.Context(), board, metav1.GetOptions{})
	must(t, err)
	if diff := cmp.Diff(map[string]string{"ids": "partner backend backend_v2", "other": "kept"}, shown.Data); diff != "" || len(load(t, s).Behind) > 0 {
		t.Errorf("behind %v, and it holds (-want +got):\n%s", load(t, s).Behind, diff)
	}
	rec = load(t, s)
	shown.Data["other"] = "changed by somebody"
	_, err = maps.Update(t.Context(), shown, metav1.UpdateOptions{})
	must(t, err)
	if err := s.Publish(t.Context(), rec.Revision, only(1)); !errors.Is(err, rotation.ErrConflict) {
		t.Errorf("it had changed in the meantime, and was written: %v", err)
	}
}
