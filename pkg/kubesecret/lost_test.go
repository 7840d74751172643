package kubesecret

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// published takes a store to where v2 is active and v1 not yet retired.
func published(t *testing.T, s *Store) {
	t.Helper()
	begun(t, s)
	must(t, s.Publish(t.Context(), load(t, s).Revision, only(2)))
}

// TestLostRecord damages the record in the middle of a rotation. The rotation does not begin anew as if it were the first,
// and what is lost is named. Starting over leaves a record that can be relied on.
func TestLostRecord(t *testing.T) {
	second := ledger.Record(name)
	without := func(server *apiServer, keys ...string) {
		server.change(second, func(s *corev1.Secret) {
			for _, key := range keys {
				delete(s.Data, key)
			}
		})
	}
	for _, c := range []struct {
		name   string
		until  func(*testing.T, *Store)
		damage func(*apiServer)
		says   string
	}{
		{"the second Secret is deleted", published, func(s *apiServer) { s.remove(second) }, "lost v1 (backend) and v2 (backend_v2)"},
		{"before activate", begun, func(s *apiServer) { s.remove(second) }, "lost v1 (backend)"},
		{"it is made anew, empty", published, func(s *apiServer) {
			s.remove(second)
			made := &corev1.Secret{Type: ledger.SecretType}
			made.Name, made.Namespace = second, "default"
			s.store(made, "kubectl-create")
		}, "lost v1 (backend) and v2 (backend_v2)"},
		{"the old value is removed", published, func(s *apiServer) { without(s, "v1.id", "v1.value") }, "lost v1 (backend)"},
		{"the new value is removed, before activate", begun, func(s *apiServer) { without(s, "v2.id", "v2.value", "v2.meta") }, "lost v2"},
		{"a tombstone is removed", rotated, func(s *apiServer) {
			s.change(name, func(app *corev1.Secret) {
				var entries map[string]any
				if err := json.Unmarshal([]byte(app.Annotations[ledger.AnnotationRecord]), &entries); err != nil {
					panic(err)
				}
				delete(entries, "gone")
				text, _ := json.Marshal(entries)
				app.Annotations[ledger.AnnotationRecord] = string(text)
			})
		}, "lost v1 (backend)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, client := serve(t, appSecret())
			s := newStore(client.CoreV1())
			c.until(t, s)
			c.damage(server)
			rec := load(t, s)
			_, err := rotation.Decide(rec, rotation.Want{Now: time.Now()})
			if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), c.says) || rec.Standby() {
				t.Fatalf("standby is %v, and the decision %v; want a refusal with %q", rec.Standby(), err, c.says)
			}
			i, err := rotation.Decide(rec, rotation.Want{Now: time.Now(), StartOver: true})
			must(t, err)
			startedOver(t, s, i)
		})
	}
}

// startedOver walks a store through the intent that starts over, as the steps do.
func startedOver(t *testing.T, s *Store, i rotation.Intent) {
	t.Helper()
	must(t, s.Note(t.Context(), load(t, s).Revision, func(r *rotation.Record) {
		if latest := r.Latest(); i.From != latest.View.Active {
			r.Editions = append(r.Editions, rotation.Edition{N: latest.N + 1, View: only(i.From), Written: time.Now()})
		}
		r.Intent, r.High = &i, max(r.High, i.To)
	}))
	rec := load(t, s)
	must(t, rec.Check())
	if _, live := rec.Live[i.From]; !live {
		c := rec.Current
		c.V = i.From
		must(t, s.Stage(t.Context(), rec.Revision, c))
	}
	c := v2()
	c.V, c.ID = i.To, "backend_"+i.To.String()
	must(t, s.Stage(t.Context(), load(t, s).Revision, c))
	must(t, s.Publish(t.Context(), load(t, s).Revision, only(i.To)))
	for v := range load(t, s).Live {
		if v != i.To {
			must(t, s.Retire(t.Context(), load(t, s).Revision, v))
		}
	}
	if rec := load(t, s); rec.Check() != nil || !rec.Standby() || rec.Edited {
		t.Errorf("standby is %v, edited %v, and it says %v", rec.Standby(), rec.Edited, rec.Check())
	}
}

// TestOutdatedAnnotation puts an annotation of before back, as who restores a manifest does: what it says is active and gone is
// of another time than the values.
func TestOutdatedAnnotation(t *testing.T) {
	server, client := serve(t, appSecret())
	s := newStore(client.CoreV1())
	begun(t, s)
	before := server.get(name).Annotations[ledger.AnnotationRecord]
	must(t, s.Publish(t.Context(), load(t, s).Revision, only(2)))
	must(t, s.Retire(t.Context(), load(t, s).Revision, 1))
	server.change(name, func(app *corev1.Secret) { app.Annotations[ledger.AnnotationRecord] = before })
	_, err := s.Load(t.Context())
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), "is older than secret default/"+ledger.Record(name)) {
		t.Fatalf("it loads with %v", err)
	}
	server.change(name, func(app *corev1.Secret) { app.Annotations = nil })
	i, err := rotation.Decide(load(t, s), rotation.Want{})
	must(t, err)
	if i.From != 2 || i.To != 3 {
		t.Errorf("without the annotation it goes from %v to %v", i.From, i.To)
	}
}

// TestNothingIsLostBetweenTwoReads has another run retire v1 between the two reads of one look.
func TestNothingIsLostBetweenTwoReads(t *testing.T) {
	server, client := serve(t, appSecret())
	s := newStore(client.CoreV1())
	published(t, s)
	appBefore := server.get(name)
	must(t, s.Retire(t.Context(), load(t, s).Revision, 1))
	appAfter := server.get(name)
	torn, read := false, false
	server.refuse = func(verb, of string) (int, string) {
		switch { // the first read of the application's Secret is of before the tombstone
		case verb == "get" && of == name && !read:
			read, server.secrets[name] = true, appBefore
		case verb == "get" && of == ledger.Record(name) && !torn:
			torn, server.secrets[name] = true, appAfter
		}
		return 0, ""
	}
	if rec := load(t, s); len(rec.Lost()) > 0 || !rec.Standby() || !torn {
		t.Errorf("lost %v, standby %v, torn %v", rec.Lost(), rec.Standby(), torn)
	}
}
