package secretdata

import (
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// FuzzValue holds for any value of any key: rendering the credential that is there changes nothing, and rendering another
// one, the first again, and the other one once more gives each time what reads as that.
func FuzzValue(f *testing.F) {
	for _, form := range forms {
		f.Add(form.before, "old s3cret/é", "new's3cret")
	}
	f.Add("postgres://backend:"+"%"+"@db", "%", nasty)
	f.Add(`user=backend password='\\\''`, `\'`, nasty)
	f.Add(`{"user":"backend","password":"\ud83d\ude00"}`, "😀", nasty)
	f.Fuzz(func(t *testing.T, value, old, next string) {
		data := secret("username", "backend", "password", old, "dsn", value)
		c, err := usual.Parse(data)
		if err != nil {
			return
		}
		c.V = 1
		n := cred(2, "backend_v2", next)
		all := live(c, n)
		unchanged(t, data, 1, live(c)) // with the other one live, a string that happens to hold it would be brought along
		there, err := usual.Render(rotation.View{Active: 2}, all, data)
		if err != nil || next == "" {
			return
		}
		then := merge(data, there)
		unchanged(t, then, 2, all)
		if p, err := usual.Parse(then); err != nil || p.ID != n.ID || !p.Value.Equal(n.Value) {
			t.Fatalf("%q was written and not read back: %v", texts(then), err)
		}
		if _, moved := there["dsn"]; moved {
			back(t, data, then, all)
		}
	})
}

// unchanged wants that data is as version v has it.
func unchanged(t *testing.T, data map[string][]byte, v rotation.Version, all map[rotation.Version]rotation.Credential) {
	t.Helper()
	if string(data["password"]) != string(all[v].Value.Reveal()) {
		return // a newline that was settled not to belong to it
	}
	got, err := usual.Render(rotation.View{Active: v}, all, data)
	if err == nil && len(got) > 0 {
		t.Fatalf("%q: rendering what is there changes %q", texts(data), texts(got))
	}
}

// back renders the first version again, and the second after it.
func back(t *testing.T, data, then map[string][]byte, all map[rotation.Version]rotation.Credential) {
	t.Helper()
	changed, err := usual.Render(rotation.View{Active: 1}, all, then)
	if err != nil {
		return // what cannot be written is an error, not a guess
	}
	home := merge(then, changed)
	if c, err := usual.Parse(home); err != nil || !c.Same(all[1]) {
		t.Fatalf("from %q back to %q: %v", texts(data), texts(home), err)
	}
	changed, err = usual.Render(rotation.View{Active: 2}, all, home)
	if err != nil {
		t.Fatalf("from %q there again: %v", texts(home), err)
	}
	if _, moved := changed["dsn"]; !moved && !all[1].Value.Equal(all[2].Value) {
		t.Fatalf("from %q the first way changed the string, the second way did not", texts(home))
	}
	unchanged(t, merge(home, changed), 2, all)
}

// FuzzConnection holds for any value from which alone the credential is read: what is written in the place of what is
// there reads as that, and the way back as what was there.
func FuzzConnection(f *testing.F) {
	for _, form := range forms {
		f.Add(form.before, "new's3cret")
	}
	only := Layout{DSN: "dsn"}
	f.Fuzz(func(t *testing.T, value, next string) {
		data := secret("dsn", value)
		c, err := only.Parse(data)
		if err != nil || next == "" {
			return
		}
		c.V = 1
		all := live(c, cred(2, c.ID+"_v2", next))
		for _, v := range []rotation.Version{2, 1, 2} {
			changed, err := only.Render(rotation.View{Active: v}, all, data)
			if err != nil {
				return // what cannot be written is an error, not a guess
			}
			data = merge(data, changed)
			if got, err := only.Parse(data); err != nil || !got.Same(all[v]) {
				t.Fatalf("from %q: v%d was written as %q, and reads as %s: %v", value, v, data["dsn"], got.ID, err)
			}
		}
	})
}
