package secretdata

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"regexp"
	"strings"
)

// encodings are what a copy may be hidden by. Each gives all that a text can be decoded to, and nothing where it has no
// part in the text. What is too short to hold n bytes need not be looked at.
var encodings = []struct {
	name   string
	decode func(text string, n int) []string
}{
	{"URL-encoded", decodePercent},
	{"escaped", decodeEscapes},
	{"escaped for XML", decodeXML},
	{"hexadecimal", decodeHex},
	{"base64", decodeBase64},
}

var (
	percentByte = regexp.MustCompile(`%[0-9a-fA-F]{2}`)
	escapedChar = regexp.MustCompile(`\\u[0-9a-fA-F]{4}|\\.`)
	base64Run   = regexp.MustCompile(`[A-Za-z0-9+/]+`)
	hexRun      = regexp.MustCompile(`[0-9a-fA-F]+`)
)

// decodePercent decodes what is well encoded, in both readings of the plus sign.
func decodePercent(text string, _ int) []string {
	if !percentByte.MatchString(text) {
		return nil
	}
	decode := func(escape string) string {
		b, _ := hex.DecodeString(escape[1:])
		return string(b)
	}
	return []string{
		percentByte.ReplaceAllStringFunc(text, decode),
		percentByte.ReplaceAllStringFunc(strings.ReplaceAll(text, "+", " "), decode),
	}
}

// decodeEscapes undoes backslashes, as JSON, YAML, shells and properties have them.
func decodeEscapes(text string, _ int) []string {
	if !escapedChar.MatchString(text) {
		return nil
	}
	return []string{escapedChar.ReplaceAllStringFunc(text, func(escape string) string {
		value, _ := jsonDecode(escape)
		return value
	})}
}

func decodeXML(text string, _ int) []string {
	decoded := html.UnescapeString(text)
	if decoded == text {
		return nil
	}
	return []string{decoded}
}

// decodeHex decodes runs of hexadecimal digits from either of the first two.
func decodeHex(text string, n int) []string {
	return decodeRuns(hexRun.FindAllString(text, -1), 2, 2*n, func(run string) []byte {
		b, _ := hex.DecodeString(run[:len(run)-len(run)%2])
		return b
	})
}

// decodeBase64 decodes runs of the alphabet, the usual one or that of URLs, from each of the first four characters:
// what stands before a copy in the encoded text may have taken any number of bytes. Lines may have been broken.
func decodeBase64(text string, n int) []string {
	text = strings.NewReplacer("-", "+", "_", "/", "\r", "", "\n", "").Replace(text)
	return decodeRuns(base64Run.FindAllString(text, -1), 4, n+1, func(run string) []byte {
		if len(run)%4 == 1 {
			run = run[:len(run)-1] // says nothing yet
		}
		b, _ := base64.RawStdEncoding.DecodeString(run)
		return b
	})
}

// decodeRuns decodes the runs of at least least characters, from each of the first starts ones.
func decodeRuns(runs []string, starts, least int, decode func(run string) []byte) (all []string) {
	for start := range starts {
		var out []byte
		for _, run := range runs {
			if len(run)-start >= least {
				out = append(append(out, decode(run[start:])...), 0)
			}
		}
		if len(out) > 0 {
			all = append(all, string(out))
		}
	}
	return all
}
