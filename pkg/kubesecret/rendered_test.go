package kubesecret

import (
	"bytes"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// What would be published is given for each Secret of the namespace, keys of others included, and written nowhere.
func TestRenderedIsWhatPublishWouldWrite(t *testing.T) {
	server, client := serve(t, appSecret(), reportsSecret())
	s := withAlso(client.CoreV1())
	before := server.get(name)
	current, err := parse(before.Data)
	if err != nil {
		t.Fatal(err)
	}
	next := rotation.Credential{V: 2, ID: "backend_v2", Value: rotation.NewSecret([]byte("herring"))}
	current.V = 1
	rec := rotation.Record{Live: map[rotation.Version]rotation.Credential{1: current, 2: next}}
	all, err := s.Rendered(t.Context(), rec, rotation.View{Active: 2, Accept: []rotation.Version{2}}, s.Namespace)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d Secrets, %v", len(all), err)
	}
	for secret, data := range all {
		if got, err := parse(data); err != nil || !got.Same(next) || len(data) != len(before.Data) {
			t.Errorf("%s would hold %v in %d keys, %v", secret, got.ID, len(data), err)
		}
	}
	if after := server.get(name); after.ResourceVersion != before.ResourceVersion || !bytes.Equal(after.Data["password"], before.Data["password"]) {
		t.Error("the Secret itself was written")
	}
	if all, err = s.Rendered(t.Context(), rec, rotation.View{Active: 2}, "elsewhere"); err != nil || len(all) > 0 {
		t.Errorf("elsewhere: %v, %v", all, err)
	}
}
