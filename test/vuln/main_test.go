package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	nothing     = "No vulnerabilities found"
	notSearched = "NOT SEARCHED"
)

func TestSearch(t *testing.T) {
	tool := govulncheck(t)
	old := entry{id: "GO-2020-0015", module: "golang.org/x/text", fixed: "0.3.3"}
	ours := entry{id: "GO-9999-0001", module: "github.com/spf13/cobra"}
	past := entry{id: "GO-9999-0002", module: "github.com/jackc/pgx/v5", fixed: "5.0.1"}
	web := httptest.NewServer(zipped(folder(t, old, ours, past)))
	t.Cleanup(web.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()

	for name, c := range map[string]struct {
		db    string
		code  int
		shows []string
		not   []string
	}{
		"a vulnerability of a module at our version": {db: folder(t, old, ours, past), code: 1,
			shows: []string{ours.id, ours.module}, not: []string{past.id, old.id, nothing, notSearched}},
		"the same by URL": {db: web.URL, code: 1,
			shows: []string{ours.id, ours.module}, not: []string{past.id, old.id, nothing, notSearched}},
		"only of versions that we do not use": {db: folder(t, old, past), code: 0,
			shows: []string{nothing}, not: []string{past.id, old.id, notSearched}},
		"a database that is empty": {db: t.TempDir(), code: 1,
			shows: []string{notSearched, "does not know"}, not: []string{nothing}},
		"a folder that is not there": {db: filepath.Join(t.TempDir(), "none"), code: 1,
			shows: []string{notSearched}, not: []string{nothing}},
		"a URL where nobody listens": {db: gone.URL, code: 1,
			shows: []string{notSearched}, not: []string{nothing}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			s := search{tool: tool, database: c.db, args: []string{"-scan", "module", "-C", "../../cmd/kubectl-rotate"}, out: &out}
			if code := s.run(t.Context()); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			expect(t, out.String(), c.shows, c.not)
		})
	}
}

// A machine without a module proxy can still run everything else.
func TestSearchWithoutADatabase(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOMODCACHE", t.TempDir())
	var out bytes.Buffer
	if code := (search{tool: "govulncheck", out: &out}).run(t.Context()); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	expect(t, out.String(), []string{notSearched, "golang.org/x/vulndb", "VULNDB="}, []string{nothing})
}

func expect(t *testing.T, out string, shows, not []string) {
	t.Helper()
	for _, s := range shows {
		if !strings.Contains(out, s) {
			t.Errorf("no %q in\n%s", s, out)
		}
	}
	for _, s := range not {
		if strings.Contains(out, s) {
			t.Errorf("%q in\n%s", s, out)
		}
	}
}

// govulncheck installs the version that the Makefile names.
func govulncheck(t *testing.T) string {
	t.Helper()
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`golang\.org/x/vuln/cmd/govulncheck@v[0-9.]+`).Find(makefile)
	if version == nil {
		t.Fatal("the Makefile names no version of govulncheck")
	}
	c := exec.Command("go", "install", string(version))
	c.Env = append(os.Environ(), "GOBIN="+t.TempDir())
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(strings.TrimPrefix(c.Env[len(c.Env)-1], "GOBIN="), "govulncheck")
}

// An entry is a vulnerability of every version before fixed, or of every version.
type entry struct{ id, module, fixed string }

type object = map[string]any

// folder is a database in the format of https://go.dev/doc/security/vuln/database.
func folder(t *testing.T, entries ...entry) string {
	t.Helper()
	dir := t.TempDir()
	const modified = "2026-01-02T03:04:05Z"
	var modules []object
	for _, e := range entries {
		events := []object{{"introduced": "0"}}
		if e.fixed != "" {
			events = append(events, object{"fixed": e.fixed})
		}
		write(t, dir, "ID/"+e.id+".json", object{
			"schema_version": "1.3.1", "id": e.id, "modified": modified, "published": modified,
			"summary": "A vulnerability for a test", "details": "It is made up.",
			"affected": []object{{
				"package": object{"name": e.module, "ecosystem": "Go"},
				"ranges":  []object{{"type": "SEMVER", "events": events}},
			}},
			"database_specific": object{"url": "https://pkg.go.dev/vuln/" + e.id},
		})
		modules = append(modules, object{"path": e.module, "vulns": []object{{"id": e.id, "modified": modified, "fixed": e.fixed}}})
	}
	write(t, dir, "index/modules.json", modules)
	write(t, dir, "index/db.json", object{"modified": modified})
	return dir
}

func write(t *testing.T, dir, name string, content any) {
	t.Helper()
	path := filepath.Join(dir, name)
	encoded, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, encoded, 0o644); err != nil {
		t.Fatal(err)
	}
}

// zipped serves a folder as a server of databases does: each file with gzip, under its name and .gz.
func zipped(dir string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, err := os.ReadFile(filepath.Join(dir, filepath.Clean("/"+strings.TrimSuffix(r.URL.Path, ".gz"))))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		z := gzip.NewWriter(w)
		defer z.Close()
		_, _ = z.Write(content)
	})
}
