// Command vuln searches the project's packages and modules for known vulnerabilities.
//
// It runs govulncheck with a vulnerability database that a folder or a URL names. Without one it takes the
// newest that the Go module proxy has, so that it runs wherever the project can be built.
//
// A search that did not take place is never reported as one that found nothing. It ends with 0 where nobody
// named a database, because a machine without access to one must still be able to run the tests.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	var s search
	flag.StringVar(&s.tool, "govulncheck", "", "path of govulncheck")
	flag.StringVar(&s.database, "db", "", "folder or URL of the vulnerability database (default: golang.org/x/vulndb from the Go module proxy)")
	flag.Parse()
	s.args, s.out, s.env = flag.Args(), os.Stdout, os.Environ()
	ctx := context.Background()
	release, err := releasedWith(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "vuln:", err)
		os.Exit(1)
	}
	s.env = append(s.env, "GOTOOLCHAIN="+release)
	os.Exit(s.run(ctx))
}

// A search is one run of govulncheck.
type search struct {
	tool     string
	database string   // "" for the module proxy's
	args     []string // for govulncheck: flags and packages
	env      []string // of govulncheck; nil is this process's
	out      io.Writer
}

// run returns the exit code: 1 where a vulnerability was found, where govulncheck failed, and where the
// database that was named cannot be used.
func (s search) run(ctx context.Context) int {
	url, name, err := locate(ctx, s.database)
	if err == nil {
		err = s.proveUsable(ctx, url)
	}
	if err != nil {
		fmt.Fprintf(s.out, "NOT SEARCHED for known vulnerabilities: %v\n", err)
		if s.database != "" {
			return 1
		}
		fmt.Fprintln(s.out, "Name a database with `make vuln VULNDB=FOLDER-OR-URL`.")
		return 0
	}
	fmt.Fprintf(s.out, "vulnerability database: %s\n", name)
	c := exec.CommandContext(ctx, s.tool, append([]string{"-db", url}, s.args...)...)
	c.Env, c.Stdout, c.Stderr = s.env, s.out, s.out
	if err := c.Run(); err != nil {
		fmt.Fprintf(s.out, "govulncheck: %v (3: vulnerabilities were found)\n", err)
		return 1
	}
	return 0
}

// releasedWith returns the Go release that go.mod names. Its standard library is in what users install; the one on
// this machine may be older.
func releasedWith(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "mod", "edit", "-json").Output()
	var module struct{ Toolchain string }
	if err == nil {
		err = json.Unmarshal(out, &module)
	}
	if err == nil && module.Toolchain == "" {
		err = errors.New("go.mod has no line toolchain")
	}
	return module.Toolchain, err
}

// locate returns the database's URL and its name for people.
func locate(ctx context.Context, given string) (url, name string, err error) {
	if strings.Contains(given, "://") {
		return given, given, nil
	}
	if given == "" {
		if given, name, err = fromProxy(ctx); err != nil {
			return "", "", err
		}
	}
	folder, err := filepath.Abs(given)
	if err != nil {
		return "", "", err
	}
	if name == "" {
		name = folder
	}
	return "file://" + folder, name, nil
}

// fromProxy downloads the Go team's own database, which is part of a module.
func fromProxy(ctx context.Context) (folder, name string, err error) {
	const module = "golang.org/x/vulndb"
	out, err := exec.CommandContext(ctx, "go", "mod", "download", "-json", module+"@latest").Output()
	var got struct{ Dir, Version, Error string }
	if json.Unmarshal(out, &got) == nil && got.Error != "" {
		err = errors.New(got.Error)
	}
	if err != nil {
		return "", "", fmt.Errorf("downloading %s: %w", module, err)
	}
	return filepath.Join(got.Dir, "data", "osv"), module + " at " + got.Version, nil
}

// proveUsable has the database name a vulnerability that every copy of it holds since 2021. For govulncheck
// an empty folder is a database in which nothing is vulnerable.
func (s search) proveUsable(ctx context.Context, url string) error {
	const module, known = "golang.org/x/text@v0.3.0", `"GO-2020-0015"`
	var out, problem bytes.Buffer
	c := exec.CommandContext(ctx, s.tool, "-db", url, "-mode", "query", "-format", "json", module)
	c.Stdout, c.Stderr = &out, &problem
	if err := c.Run(); err != nil {
		return fmt.Errorf("asking the database %s: %w: %s", url, err, bytes.TrimSpace(problem.Bytes()))
	}
	if !strings.Contains(out.String(), known) {
		return fmt.Errorf("the database %s does not know of %s in %s", url, known, module)
	}
	return nil
}
