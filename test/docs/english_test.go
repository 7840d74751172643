package docs

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mostWords is how long a sentence of a document may be.
const mostWords = 25

var (
	codeSpan    = regexp.MustCompile("`+[^`]*`+")
	linkTarget  = regexp.MustCompile(`\]\([^)]*\)`)
	quoted      = regexp.MustCompile(`"[^"]*"|“[^”]*”`)
	sentenceEnd = regexp.MustCompile(`[.!?]+[)*"”]*(\s|$)`)
	listItem    = regexp.MustCompile(`^\s*([-*]|\d+\.) `)
)

// A document is read by people under stress, in a language that is not always their own.
func TestSentencesAreShort(t *testing.T) {
	for _, path := range written(t) {
		for _, block := range prose(read(t, path)) {
			for _, sentence := range sentenceEnd.Split(block, -1) {
				if n := len(strings.Fields(sentence)); n > mostWords {
					t.Errorf("%s: a sentence of %d words: %s", path, n, strings.TrimSpace(sentence))
				}
			}
		}
	}
}

// The glossary lists the words that were given up. An entry with a note in parentheses has other, normal uses, and is for people.
func TestRetiredWordsAreNotUsed(t *testing.T) {
	_, table, found := strings.Cut(read(t, "docs/glossary.md"), "\n## Retired words\n")
	if !found {
		t.Fatal("the glossary has no retired words")
	}
	var words []string
	for _, line := range strings.Split(table, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 3 || strings.Contains(line, "---") || strings.Contains(cells[1], "(") || strings.TrimSpace(cells[1]) == "retired" {
			continue
		}
		for _, word := range strings.Split(cells[1], ",") {
			words = append(words, strings.TrimSpace(word))
		}
	}
	if len(words) < 20 {
		t.Fatalf("%d retired words are read: has the table changed?", len(words))
	}
	retired := regexp.MustCompile(`(?i)\b(` + strings.Join(words, "|") + `)\b`)
	for _, path := range written(t) {
		text := read(t, path)
		if path == "docs/glossary.md" {
			text, _, _ = strings.Cut(text, "\n## Retired words\n")
		}
		for _, block := range prose(text) {
			for _, word := range retired.FindAllString(block, -1) {
				t.Errorf("%s: %q is a retired word: %s", path, word, block)
			}
		}
	}
}

// Who opens a page of the guide learns from its first paragraph whether to read on; and the README stays short.
func TestReadersAreNotKept(t *testing.T) {
	for _, path := range written(t) {
		first := strings.SplitN(read(t, path), "\n", 4)
		if strings.HasPrefix(path, "docs/guide/") && !strings.HasPrefix(first[2], "**Do you need this page?** ") {
			t.Errorf("%s does not say at its beginning who needs it", path)
		}
	}
	if n := len(strings.Fields(read(t, "README.md"))); n > 900 {
		t.Errorf("the README has %d words; move detail to docs/guide", n)
	}
}

// written are the documents that people write: docs/reference is generated.
func written(t *testing.T) (paths []string) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/guide/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			path, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, filepath.ToSlash(path))
		}
	}
	if len(paths) < 15 {
		t.Fatalf("%d documents are found", len(paths))
	}
	return paths
}

// prose is what a document says in its own words: its paragraphs, list items and cells of tables, without code and quotations.
func prose(text string) (blocks []string) {
	fenced, open := false, false
	for _, line := range strings.Split(text, "\n") {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence:
			fenced, open = !fenced, false
		case fenced || strings.HasPrefix(line, "    "), strings.TrimSpace(line) == "":
			open = false
		case strings.HasPrefix(line, "|"):
			blocks = append(blocks, strings.Split(line, "|")...)
			open = false
		case open && !listItem.MatchString(line) && !strings.HasPrefix(line, "#"):
			blocks[len(blocks)-1] += " " + line
		default:
			blocks = append(blocks, line)
			open = !strings.HasPrefix(line, "#")
		}
	}
	for i, block := range blocks {
		block = codeSpan.ReplaceAllString(block, "X")
		block = linkTarget.ReplaceAllString(block, "]")
		blocks[i] = quoted.ReplaceAllString(block, "X")
	}
	return blocks
}
