package kubesecret

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

func TestEdited(t *testing.T) {
	for _, c := range []struct {
		name    string
		edit    func(data map[string][]byte)
		edited  bool
		current rotation.Version
	}{
		{"nothing", func(map[string][]byte) {}, false, 2},
		{"a key that no rotation writes", func(d map[string][]byte) { d["ca.crt"] = []byte("renewed") }, false, 2},
		{"a new key", func(d map[string][]byte) { d["note"] = []byte("hello") }, false, 2},
		{"the host in the url", func(d map[string][]byte) {
			d["url"] = bytes.ReplaceAll(d["url"], []byte("@postgresql"), []byte("@pooler"))
		}, false, 2},
		{"the password in the url alone", func(d map[string][]byte) {
			d["url"] = bytes.ReplaceAll(d["url"], []byte("value-of-v2"), []byte("other"))
		}, true, 2},
		{"another password", func(d map[string][]byte) { d["password"] = []byte("other") }, true, 0},
		{"back to v1", func(d map[string][]byte) {
			d["username"], d["password"] = []byte("backend"), []byte("value-of-v1")
			d["url"] = []byte("postgres://backend:value-of-v1@postgresql/demo")
		}, true, 1},
		{"the url removed", func(d map[string][]byte) { delete(d, "url") }, true, 2},
		{"all removed, in the middle of a rotation", func(d map[string][]byte) { clear(d) }, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, client := serve(t, appSecret())
			s := newStore(client.CoreV1())
			begun(t, s)
			must(t, s.Publish(t.Context(), load(t, s).Revision, only(2)))
			server.change(name, func(secret *corev1.Secret) { c.edit(secret.Data) })
			rec := load(t, s)
			if rec.Edited != c.edited || rec.Current.V != c.current {
				t.Errorf("edited is %v and v%d current, want %v and v%d", rec.Edited, rec.Current.V, c.edited, c.current)
			}
		})
	}
}

func TestUnreadableInStandby(t *testing.T) {
	server, client := serve(t, appSecret())
	s := newStore(client.CoreV1())
	rotated(t, s)
	server.change(name, func(secret *corev1.Secret) { delete(secret.Data, "password") })
	_, err := s.Load(t.Context())
	wantError(t, err, "no username and password")
}

func TestEditedBeforeAnythingIsSaved(t *testing.T) {
	server, client := serve(t, appSecret())
	s := newStore(client.CoreV1())
	must(t, intend(t, s, rotation.Intent{From: 1, To: 2, Attempt: 1}))
	if load(t, s).Edited {
		t.Error("the first edition counts as edited")
	}
	server.change(name, func(secret *corev1.Secret) { secret.Data["password"] = []byte("by hand") })
	if !load(t, s).Edited {
		t.Error("an edit after begin is not seen")
	}
}

// TestConfigChanged has the rotated keys change in the middle of a rotation, by another config: nobody has edited the Secret.
func TestConfigChanged(t *testing.T) {
	_, client := serve(t, appSecret())
	s := newStore(client.CoreV1())
	begun(t, s)
	must(t, s.Publish(t.Context(), load(t, s).Revision, only(2)))
	content := login()
	content.Render = func(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error) {
		keys, err := render(view, live, data)
		keys["jdbc"] = []byte("jdbc:postgresql://postgresql/demo")
		return keys, err
	}
	s.Content = content
	if load(t, s).Edited {
		t.Error("a key that the config has since then counts as an edit")
	}
	content.Parse = func(map[string][]byte) (rotation.Credential, error) {
		return rotation.Credential{}, errors.New("no key login")
	}
	s.Content = content
	_, err := s.Load(t.Context())
	wantError(t, err, "no key login")
}

func TestPublishKeepsWhatIsNotItsOwn(t *testing.T) {
	server, client := serve(t, appSecret())
	s := newStore(client.CoreV1())
	begun(t, s)
	must(t, s.Publish(t.Context(), load(t, s).Revision, only(2)))
	got := server.get(name)
	want := map[string][]byte{
		"username": []byte("backend_v2"), "password": []byte("value-of-v2"),
		"url": []byte("postgres://backend_v2:value-of-v2@postgresql/demo"), "ca.crt": []byte("not a secret"),
	}
	if diff := cmp.Diff(want, got.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"app": "backend"}, got.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if strings.Contains(got.Annotations[ledger.AnnotationRecord], "value-of") {
		t.Error("the annotation holds a value")
	}
	second := server.get(ledger.Record(name))
	if len(second.OwnerReferences) != 0 || second.Labels["app"] != "" || second.Type != ledger.SecretType {
		t.Errorf("the second Secret is %+v", second.ObjectMeta)
	}
}

func TestPublishRemovesKeys(t *testing.T) {
	server, client := serve(t, appSecret())
	s := newStore(client.CoreV1())
	s.Content = Content{Parse: parse, Render: func(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error) {
		keys, err := render(view, live, data)
		keys["url"] = nil
		return keys, err
	}}
	begun(t, s)
	must(t, s.Publish(t.Context(), load(t, s).Revision, only(2)))
	if _, there := server.get(name).Data["url"]; there {
		t.Error("the key is still there")
	}
	if load(t, s).Edited {
		t.Error("what was published counts as edited")
	}
	server.change(name, func(secret *corev1.Secret) { secret.Data["url"] = []byte("back") })
	if !load(t, s).Edited {
		t.Error("a key put back is not seen")
	}
}

// TestWrittenByTheServer has the operator's machine asleep between reading its clock and sending.
func TestWrittenByTheServer(t *testing.T) {
	server, client := serve(t, appSecret())
	s := newStore(client.CoreV1())
	start := server.clock
	s.Now = func() time.Time { return start }
	begun(t, s)
	server.pass(time.Hour)
	must(t, s.Publish(t.Context(), load(t, s).Revision, only(2)))
	want := start.Add(time.Hour)
	if got := load(t, s).Latest().Written; !got.Equal(want) {
		t.Errorf("written at %v, want the server's %v", got, want)
	}
	server.pass(time.Hour)
	must(t, s.Note(t.Context(), load(t, s).Revision, func(r *rotation.Record) { r.High = 7 }))
	if got := load(t, s).Latest().Written; !got.Equal(want) {
		t.Errorf("after a later write it says %v, want %v still", got, want)
	}
	must(t, s.Retire(t.Context(), load(t, s).Revision, 1))
	if got := load(t, s).Latest().Written; !got.Equal(want) {
		t.Errorf("after retiring v1 it says %v, want %v still", got, want)
	}
	if got := load(t, s).Editions[0].Written; !got.IsZero() {
		t.Errorf("the first edition was written at %v, want never", got)
	}
}

func TestLastRotated(t *testing.T) {
	server, client := serve(t, appSecret())
	s := newStore(client.CoreV1())
	s.Now = func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	begun(t, s)
	must(t, s.Publish(t.Context(), load(t, s).Revision, rotation.View{Active: 1, Accept: []rotation.Version{1, 2}}))
	if got := server.get(name).Annotations[ledger.AnnotationLastRotated]; got != "" {
		t.Errorf("last rotated is %q although v1 stays active", got)
	}
	must(t, s.Publish(t.Context(), load(t, s).Revision, only(2)))
	if got := server.get(name).Annotations[ledger.AnnotationLastRotated]; got != "2026-03-01T12:00:00Z" {
		t.Errorf("last rotated is %q", got)
	}
}

// TestAnnotationLost has `kubectl replace` take the annotations away after a rotation, and in the middle of one.
func TestAnnotationLost(t *testing.T) {
	lost := func(secret *corev1.Secret) { secret.Annotations = nil }
	t.Run("in standby", func(t *testing.T) {
		server, client := serve(t, appSecret())
		s := newStore(client.CoreV1())
		rotated(t, s)
		server.change(name, lost)
		rec := load(t, s)
		if rec.Intent != nil || rec.Active() != 2 || rec.Current.V != 2 || rec.High != 2 || rec.Latest().N <= 2 {
			t.Errorf("the record is %+v, want v2 active in an edition beyond the last", rec)
		}
	})
	t.Run("with another value since", func(t *testing.T) {
		server, client := serve(t, appSecret())
		s := newStore(client.CoreV1())
		rotated(t, s)
		server.change(name, lost)
		server.change(name, func(secret *corev1.Secret) { secret.Data["password"] = []byte("by hand") })
		i, err := rotation.Decide(load(t, s), rotation.Want{})
		must(t, err)
		if i.From != 3 || i.To != 4 {
			t.Errorf("the intent is %v to %v, want v3 to v4", i.From, i.To)
		}
	})
	t.Run("after an abort", func(t *testing.T) {
		server, client := serve(t, appSecret())
		s := newStore(client.CoreV1())
		begun(t, s)
		must(t, s.Retire(t.Context(), load(t, s).Revision, 2))
		server.change(name, lost)
		if rec := load(t, s); rec.High != 2 || rec.Active() != 1 {
			t.Errorf("the record is %+v, want v1 active and v2 given out", rec)
		}
	})
}

// TestSecondSecretLost has somebody remove the values: the rotation can't vouch for the data, and goes on from it.
func TestSecondSecretLost(t *testing.T) {
	server, client := serve(t, appSecret())
	s := newStore(client.CoreV1())
	rotated(t, s)
	server.remove(ledger.Record(name))
	rec := load(t, s)
	if len(rec.Live) != 0 || !rec.Edited || rec.High != 2 {
		t.Errorf("the record is %+v, want no values, not vouched for", rec)
	}
	i, err := rotation.Decide(rec, rotation.Want{Now: time.Now()})
	must(t, err)
	must(t, intend(t, s, i))
	current := load(t, s).Current
	current.V = i.From
	must(t, s.Stage(t.Context(), load(t, s).Revision, current))
	if rec := load(t, s); rec.Edited || rec.Current.V != 2 {
		t.Errorf("edited %v, current %v; want v2, saved anew", rec.Edited, rec.Current.V)
	}
}

func TestManyRotations(t *testing.T) {
	_, client := serve(t, appSecret())
	s := newStore(client.CoreV1())
	rotated(t, s)
	last := rotation.Version(ledger.KeptTombstones + 10)
	for v := rotation.Version(3); v <= last; v++ {
		must(t, intend(t, s, rotation.Intent{From: v - 1, To: v, Attempt: int(v)}))
		c := v2()
		c.V, c.ID = v, "backend_"+v.String()
		must(t, s.Stage(t.Context(), load(t, s).Revision, c))
		must(t, s.Publish(t.Context(), load(t, s).Revision, only(v)))
		must(t, s.Retire(t.Context(), load(t, s).Revision, v-1))
	}
	rec := load(t, s)
	if len(rec.Editions) != ledger.KeptEditions || rec.Latest().N != int(last) || len(rec.Gone) != ledger.KeptTombstones {
		t.Errorf("%d editions up to %d and %d tombstones are kept", len(rec.Editions), rec.Latest().N, len(rec.Gone))
	}
	again := v2()
	again.V = 3
	conflict(t, "a version below the oldest tombstone", s.Stage(t.Context(), rec.Revision, again))
	now := rotation.MayHold(rotation.Pod{Edition: rec.Latest().N, Reloads: true}, rec.Editions, 0)
	if diff := cmp.Diff([]rotation.View{only(last)}, now); diff != "" {
		t.Errorf("a pod of the newest edition may hold (-want +got):\n%s", diff)
	}
	if old := rotation.MayHold(rotation.Pod{Reloads: true}, rec.Editions, 0); old != nil {
		t.Errorf("a pod older than the editions may hold %v, want that it can't be told", old)
	}
}

func TestRetireRefusesWhatIsInUse(t *testing.T) {
	_, client := serve(t, appSecret())
	s := newStore(client.CoreV1())
	begun(t, s)
	if err := s.Retire(t.Context(), load(t, s).Revision, 1); err == nil || !strings.Contains(err.Error(), "still holds v1") {
		t.Errorf("retiring the value in use: %v", err)
	}
	if rec := load(t, s); len(rec.Live) != 2 || len(rec.Gone) != 0 {
		t.Errorf("the record is %+v, want both values", rec)
	}
}

func TestPlan(t *testing.T) {
	server, client := serve(t, appSecret())
	s := newStore(client.CoreV1())
	rec := load(t, s)
	rec.Live = map[rotation.Version]rotation.Credential{2: v2()}
	before := server.get(name)
	got, err := s.Plan(t.Context(), rec, only(2))
	must(t, err)
	want := []string{
		"secret default/postgresql-credentials: change key password",
		"secret default/postgresql-credentials: change key url",
		"secret default/postgresql-credentials: change key username",
		"secret default/postgresql-credentials: set annotation kubectl-rotate/record",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, server.get(name)); diff != "" {
		t.Errorf("planning wrote (-before +after):\n%s", diff)
	}
}
