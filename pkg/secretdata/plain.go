package secretdata

import "regexp"

// The parts of a connection that are no secret: a password that is the same word as one of them, as the default
// passwords of many servers are, is not copied there.
var (
	plainHosts = regexp.MustCompile(`^[A-Za-z0-9.,:_%\[\]-]*$`)
	plainPath  = regexp.MustCompile(`^[A-Za-z0-9._%/-]*$`)
	plainValue = regexp.MustCompile(`^[A-Za-z0-9.,:_%/\[\]\s-]*$`)
	plainNames = regexp.MustCompile(`(?i)^(.*[_.-])?(host|hostname|hostaddr|port|dbname|database|db|engine|sslmode|application_name)$`)
)

// isPlainName says whether a key or a field of this name holds no password, whatever stands in it.
func isPlainName(name string) bool { return plainNames.MatchString(name) }

// clear takes note that nothing of a credential stands in s, if only what form allows does.
func (d *document) clear(s stretch, form *regexp.Regexp) {
	if s.start < s.end && form.MatchString(d.text[s.start:s.end]) {
		d.plain = append(d.plain, s)
	}
}

// clearNamed takes note that nothing of a credential stands in s, if the name of s says so and nothing speaks against it.
func (d *document) clearNamed(name string, s stretch) {
	if isPlainName(name) {
		d.clear(s, plainValue)
	}
}
