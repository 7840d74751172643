package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"sync"

	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/klog/v2"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// global is what all commands share: kubectl's own flags, the targets file, the streams.
type global struct {
	Streams
	Out, Err *report.Printer // in the place of the streams' own, which nothing is written to past them
	terminal diverted        // what Err prints to
	screen   io.Writer       // the terminal behind Err, for what has it to itself
	kube     *genericclioptions.ConfigFlags
	config   string
	logs     logLevel
}

func newGlobal(s Streams) *global {
	g := &global{Out: report.NewPrinter(s.Out), terminal: diverted{to: s.Err}, screen: s.Err, kube: genericclioptions.NewConfigFlags(true)}
	g.Err = report.NewPrinter(&g.terminal)
	s.Out, s.Err = nil, nil
	g.Streams = s
	return g
}

// divert has all that is said beside the data go to w, until the function that it gives is called.
func (g *global) divert(w io.Writer) (back func()) {
	g.terminal.set(w)
	return func() { g.terminal.set(g.screen) }
}

// diverted is a writer that can be led elsewhere: while a screen is open, what would tear it goes to its log.
type diverted struct {
	mu sync.Mutex
	to io.Writer
}

func (d *diverted) set(to io.Writer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.to = to
}

// Write writes to where it is led now.
func (d *diverted) Write(text []byte) (int, error) {
	d.mu.Lock()
	to := d.to
	d.mu.Unlock()
	return to.Write(text)
}

func (g *global) addFlags(f *pflag.FlagSet) {
	g.kube.AddFlags(f)
	f.StringVar(&g.config, "config", "", "the targets file, or configmap/NAME in the namespace, which is trusted then; else "+config.FileName+" here or above, else ConfigMap "+config.ConfigMapName)
	g.logs.to = g.Err
	_ = g.logs.Set("0") // client-go says some of its errors whatever the level, in the words of a server
	f.VarP(&g.logs, "v", "v", "how much of the API requests to log, as kubectl's; what would show the bodies of requests is capped")
}

// maxLogs is the highest level at which client-go logs no bodies, and so no Secrets.
const maxLogs = 7

// logLevel is klog's verbosity, capped at maxLogs.
type logLevel struct {
	level int
	to    io.Writer // where the log goes
}

// String gives the level.
func (l *logLevel) String() string { return strconv.Itoa(l.level) }

// Type names it for the help.
func (l *logLevel) Type() string { return "Level" }

// Set raises klog's verbosity at once.
func (l *logLevel) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("want a number: %q", text)
	}
	l.level = min(n, maxLogs)
	var f flag.FlagSet
	klog.InitFlags(&f)
	klog.SetOutput(l.to)
	return errors.Join(f.Set("v", l.String()), f.Set("logtostderr", "false"), f.Set("stderrthreshold", "FATAL"), f.Set("one_output", "true"))
}

// connect makes clients for the context that the flags choose; nothing is sent yet.
func (g *global) connect() (*kube.Clients, error) {
	return kube.New(g.kube, kube.Options{Version: thisBuild().Version, Warnings: g.Err})
}

// targets gives the configuration and where it comes from, with the cluster's ConfigMap as its last place to look.
func (g *global) targets(ctx context.Context, c *kube.Clients) (config.Config, config.Source, error) {
	return g.load(ctx, func() (*kube.Clients, error) { return c, nil })
}

// load gives the configuration and where it comes from. connect is called where a ConfigMap is read; with nil none is looked for. A
// configuration that cannot be meant is a usage error.
func (g *global) load(ctx context.Context, connect func() (*kube.Clients, error)) (config.Config, config.Source, error) {
	from := config.Loader{Path: g.config}
	if connect != nil {
		from.ConfigMap = func(ctx context.Context, name string) (config.Map, error) {
			c, err := connect()
			if err != nil {
				return config.Map{}, err
			}
			return configMap(ctx, c, name)
		}
	}
	found, source, err := from.Load(ctx)
	if errors.As(err, new(*config.InvalidError)) {
		err = usageError{err}
	}
	return found, source, err
}

// configMap reads a ConfigMap in the namespace of the context.
func configMap(ctx context.Context, c *kube.Clients, name string) (config.Map, error) {
	m := config.Map{Namespace: c.Namespace}
	found, err := c.Kube.CoreV1().ConfigMaps(c.Namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return m, nil
	case apierrors.IsForbidden(err):
		return m, fmt.Errorf("%w: %w", fs.ErrPermission, c.Explain(err))
	case err != nil:
		return m, c.Explain(err)
	}
	m.Data = found.Data
	if m.Data == nil {
		m.Data = map[string]string{}
	}
	for _, f := range found.ManagedFields { // a manager is what a client calls itself; the time is the API server's
		if f.Time != nil && !f.Time.Time.Before(m.Written) {
			m.By, m.Written = f.Manager, f.Time.Time
		}
	}
	return m, nil
}

// target finds the one that a command is about: by its name, or as the only one of its kind.
func target(found config.Config, kind config.Kind, args []string) (config.Target, error) {
	if len(args) == 0 {
		return only(found, kind)
	}
	t, err := found.Target(args[0])
	if err != nil {
		return t, usageError{err}
	}
	if kind != "" && t.Kind != kind {
		return t, usageError{fmt.Errorf("target %s is of kind %s: rotate it with `%s`", t.Name, t.Kind, rotation.Command("kubectl", "rotate", string(t.Kind), t.Name))}
	}
	return t, nil
}

// targetsNamed are the one that a command is about, or all where it names none.
func targetsNamed(found config.Config, args []string) ([]config.Target, error) {
	if len(args) == 0 {
		return found.Targets, nil
	}
	t, err := target(found, "", args)
	return []config.Target{t}, err
}

func only(found config.Config, kind config.Kind) (config.Target, error) {
	var of []config.Target
	for _, t := range found.Targets {
		if t.Kind == kind {
			of = append(of, t)
		}
	}
	switch len(of) {
	case 1:
		return of[0], nil
	case 0:
		return config.Target{}, usageError{fmt.Errorf("no target of kind %s is configured; there are: %v", kind, found.Names())}
	}
	return config.Target{}, usageError{fmt.Errorf("several targets are of kind %s, name one: %v", kind, config.Config{Targets: of}.Names())}
}

// say writes one line for the operator.
func (g *global) say(format string, args ...any) {
	_ = g.Err.Linef(format, args...)
}
