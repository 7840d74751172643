// Package docs checks that what the documentation names is there.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// Each claim of the threat model names the test that holds it.
func TestEveryClaimNamesATestThatExists(t *testing.T) {
	cited := regexp.MustCompile("`((?:pkg|test|cmd)/[a-z0-9/-]+)\\.((?:Test|Fuzz)[A-Za-z0-9]+)`")
	claims, inClaims := 0, false
	for _, line := range strings.Split(read(t, "docs/security.md"), "\n") {
		tests := cited.FindAllStringSubmatch(line, -1)
		switch {
		case !strings.HasPrefix(line, "| "):
			inClaims = inClaims && strings.HasPrefix(line, "|---")
		case strings.HasSuffix(line, "| held by |"):
			inClaims = true
		case inClaims:
			claims++
			if len(tests) == 0 {
				t.Errorf("a claim that names no test: %s", line)
			}
		}
		for _, c := range tests {
			if !declares(t, c[1], c[2]) {
				t.Errorf("there is no %s in %s", c[2], c[1])
			}
		}
	}
	if claims < 20 {
		t.Errorf("%d claims are read: has the table's heading changed?", claims)
	}
}

// What a contributor is told to type has to work.
func TestEveryTargetOfMakeThatIsNamedExists(t *testing.T) {
	makefile := read(t, "Makefile")
	named := regexp.MustCompile("(?m)(?:^    |`)make ([a-z][a-z0-9-]*(?: [a-z][a-z0-9-]*)*)")
	for _, page := range written(t) {
		found := named.FindAllStringSubmatch(read(t, page), -1)
		if page == "docs/testing.md" && len(found) < 8 {
			t.Errorf("%d targets are read in %s", len(found), page)
		}
		for _, m := range found {
			for _, target := range strings.Fields(m[1]) {
				if !regexp.MustCompile("(?m)^" + target + ":").MatchString(makefile) {
					t.Errorf("%s names `make %s`, and the Makefile has no such target", page, target)
				}
			}
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// declares says whether a test is in a package.
func declares(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^func ` + name + `\(`)
	for _, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if declared.Match(content) {
			return true
		}
	}
	return false
}
