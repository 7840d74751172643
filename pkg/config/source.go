package config

import (
	"cmp"
	"io/fs"
	"time"
)

// Source is where a configuration comes from, and who has written it as far as that can be told. The zero value is the defaults.
type Source struct {
	File      string    // its path
	ConfigMap string    // its name
	Namespace string    // of the ConfigMap, or where one was looked for
	Named     bool      // the operator has named it; else it was found
	By        string    // the owner of the file, or the field manager that wrote the ConfigMap last, which is what a client calls itself
	Written   time.Time // when it was last written
	Unread    bool      // there may be a ConfigMap, and it may not be read
	Open      bool      // others may write the file

	info fs.FileInfo // of the file
}

// Defaults says whether there is no file.
func (s Source) Defaults() bool { return s.File == "" && s.ConfigMap == "" }

// Tenants says whether it is data of its namespace, and not the will of the operator.
func (s Source) Tenants() bool { return s.ConfigMap != "" && !s.Named }

// String is the source in a word, as errors have it: a path, "configmap/NAME", or "built-in defaults".
func (s Source) String() string {
	if s.ConfigMap != "" {
		return mapPrefix + s.ConfigMap
	}
	return cmp.Or(s.File, "built-in defaults")
}

// Told is the source with who wrote it last, in a line.
func (s Source) Told() string {
	text := s.String()
	at := ""
	if !s.Written.IsZero() {
		at = " at " + s.Written.UTC().Format("2006-01-02 15:04") + " UTC"
	}
	switch {
	case s.ConfigMap != "":
		text += " in " + s.Namespace + ", last written" + at
		if s.By != "" {
			text += " by field manager " + s.By
		}
	case s.File != "":
		if s.By != "" {
			text += ", owned by " + s.By
		}
		text += ", last written" + at
		if s.Open {
			text += ", and others may write it"
		}
	case s.Unread:
		text += ", since " + mapPrefix + ConfigMapName + " in " + s.Namespace + " may not be read"
	}
	return text
}
