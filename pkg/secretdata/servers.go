package secretdata

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// Server is where a connection string leads.
type Server struct {
	Host     string
	Port     string // "" is the default of what is spoken there
	Database string // "" where the string names none
}

// Servers are where the connection strings lead that hold the credential, each once, in the order of their keys. Sockets
// are left out, and so is what is replaced before it is used, such as $(HOST).
func (l Layout) Servers(data map[string][]byte) ([]Server, error) {
	c, err := l.Parse(data)
	if err != nil {
		return nil, err
	}
	var all []Server
	found := l.documents(data)
	for _, key := range keys(found) {
		d := found[key]
		if !slices.ContainsFunc(d.accounts, func(a account) bool { return a.compare(d.text, c) == same }) {
			continue
		}
		for _, s := range servers(d.text) {
			if s.Host != "" && !strings.HasPrefix(s.Host, "/") && !isReference(s.Host) && !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all, nil
}

// servers are those of one text, in any of the forms that [recognise] understands.
func servers(text string) []Server {
	text = strings.TrimSpace(text)
	var value any
	switch {
	case strings.ContainsAny(text[:1], `{["`) && json.Unmarshal([]byte(text), &value) == nil:
		return serversOfJSON(value)
	case urlStart.MatchString(text):
		return serversOfURL(text)
	}
	return serversOfPairs(text)
}

func serversOfJSON(value any) (all []Server) {
	switch v := value.(type) {
	case string:
		if _, ok := recognise(v); ok {
			all = servers(v)
		}
	case []any:
		for _, one := range v {
			all = append(all, serversOfJSON(one)...)
		}
	case map[string]any:
		fields := map[string]string{}
		for _, name := range keys(v) {
			all = append(all, serversOfJSON(v[name])...)
			switch field := v[name].(type) {
			case string:
				fields[strings.ToLower(name)] = field
			case float64:
				text, _ := json.Marshal(field)
				fields[strings.ToLower(name)] = string(text)
			}
		}
		all = append(all, serversOfFields(fields)...)
	}
	return all
}

// serversOfURL reads the hosts between the login and the path, and what the query says instead.
func serversOfURL(text string) (all []Server) {
	start := len(urlStart.FindString(text))
	authority := upTo(text, start, len(text), "/?#")
	path, query, _ := strings.Cut(text[authority:], "?")
	values, _ := url.ParseQuery(query)
	database, _ := url.PathUnescape(strings.TrimPrefix(path, "/"))
	if hosts := values.Get("host"); hosts != "" {
		return serversOfFields(map[string]string{"host": hosts, "port": values.Get("port"), "dbname": database})
	}
	hosts := text[start:authority]
	hosts = hosts[strings.LastIndexByte(hosts, '@')+1:]
	for _, one := range strings.Split(hosts, ",") {
		host, port := one, ""
		if i := strings.LastIndexByte(one, ':'); i >= 0 && !strings.HasSuffix(one, "]") {
			host, port = one[:i], one[i+1:]
		}
		all = append(all, Server{strings.Trim(host, "[]"), port, database})
	}
	return all
}

// serversOfPairs reads libpq's form.
func serversOfPairs(text string) []Server {
	fields := map[string]string{}
	for at := 0; strings.TrimSpace(text[at:]) != ""; {
		m := keyword.FindStringSubmatchIndex(text[at:])
		if m == nil {
			return nil
		}
		s, next, ok := keyValue(text, at+m[1])
		if !ok {
			return nil
		}
		fields[text[at+m[2]:at+m[3]]] = s.readings(text)[0]
		at = next
	}
	return serversOfFields(fields)
}

// serversOfFields are the hosts of a list, each with the port at its place in the other, or with the only one.
func serversOfFields(fields map[string]string) (all []Server) {
	first := func(names ...string) string {
		for _, name := range names {
			if fields[name] != "" {
				return fields[name]
			}
		}
		return ""
	}
	database, ports := first("dbname", "database", "db"), strings.Split(first("port"), ",")
	for i, host := range strings.Split(first("host", "hostname", "hostaddr"), ",") {
		port := ports[0]
		if i < len(ports) {
			port = ports[i]
		}
		all = append(all, Server{host, port, database})
	}
	return all
}
