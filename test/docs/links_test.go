package docs

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile("(?m)^#+ (.*)$")
	// unsluggish is what GitHub leaves out of a heading to make its anchor.
	unsluggish = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// A relative link leads to a file of the repository, and its anchor to a heading of that file.
func TestLinksLeadSomewhere(t *testing.T) {
	links := 0
	for _, from := range markdown(t) {
		for _, m := range link.FindAllStringSubmatch(uncoded(read(t, from)), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			links++
			to := from
			if target != "" {
				to = path.Join(path.Dir(from), target)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s: there is no such file", from, m[1])
				continue
			}
			if anchor != "" && !hasAnchor(read(t, to), anchor) {
				t.Errorf("%s links to %s: %s has no such heading", from, m[1], to)
			}
		}
	}
	if links < 50 {
		t.Errorf("%d links are read", links)
	}
}

// markdown is every Markdown file of the repository.
func markdown(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && strings.HasPrefix(entry.Name(), "."):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".md"):
			relative, err := filepath.Rel(root, path)
			paths = append(paths, filepath.ToSlash(relative))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// uncoded is a document without its code, in which brackets are no links.
func uncoded(text string) string {
	var lines []string
	fenced := false
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			continue
		}
		if !fenced && !strings.HasPrefix(line, "    ") {
			lines = append(lines, codeSpan.ReplaceAllString(line, ""))
		}
	}
	return strings.Join(lines, "\n")
}

func hasAnchor(text, anchor string) bool {
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		slug := strings.ReplaceAll(unsluggish.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
		if slug == anchor {
			return true
		}
	}
	return false
}
