package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// runFlags are the flags of every run: of a rotation and of the way back.
type runFlags struct {
	dryRun     bool
	yes        bool
	accept     []string
	soak       time.Duration
	timeout    time.Duration
	wait       bool
	stragglers string
	minAge     time.Duration
	again      bool
	canary     bool

	compromised bool
	cut         bool
	flush       bool

	output string
	via    string
	until  string

	soakSet       bool
	canarySet     bool
	stragglersSet bool
	asked         time.Time // when the command was given, by the local clock
}

func (f *runFlags) add(fs *pflag.FlagSet) {
	fs.BoolVar(&f.dryRun, "dry-run", false, "show what would be done, step by step; nothing is written anywhere")
	fs.BoolVar(&f.yes, "yes", false, "agree to every step that asks")
	fs.StringSliceVar(&f.accept, "accept", nil, "agree to go on where --yes is not enough: "+strings.Join(wiring.Consents, ", "))
	fs.DurationVar(&f.soak, "soak", 0, "how long the old version is refused before it is erased (default: the target's, 10m)")
	fs.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long a step may wait before the run stops with exit code 3; nothing is taken back")
	fs.BoolVar(&f.wait, "wait", true, "wait for rollouts, sessions and times; false does what can be done now")
	fs.StringVar(&f.stragglers, "stragglers", "wait", "sessions of clients that are no known pods: wait for them, or terminate them when the old version is revoked")
	fs.StringVarP(&f.output, "output", "o", "", "text, or json: one event a line (default: a screen where there is a terminal, else text)")
	fs.StringVar(&f.via, "via", string(kube.ViaAuto), "the way to the server: auto, port-forward, exec, direct")
	fs.StringVar(&f.until, "until", "", "stop after this step")
}

// addBegin adds the flags that only matter when a rotation begins.
func (f *runFlags) addBegin(fs *pflag.FlagSet) {
	fs.DurationVar(&f.minAge, "min-age", time.Hour, "a rotation that finished less than this ago counts as done")
	fs.BoolVar(&f.again, "again", false, "rotate even if the last rotation has only just finished")
	fs.BoolVar(&f.canary, "canary", false, "have one more pod of a consumer try the new version first, apart from those that serve (default: in protected contexts)")
}

// addLeak adds the flags that matter when the value in use has leaked.
func (f *runFlags) addLeak(fs *pflag.FlagSet) {
	fs.BoolVar(&f.cut, "cut", false, "end all pods that may hold the leaked value at once: the fastest way, and an outage until new ones are ready")
}

// check refuses what cannot be meant, before any cluster is contacted.
func (f *request) check(s Streams) error {
	one := func(flag, value string, of ...string) error {
		if slices.Contains(of, value) {
			return nil
		}
		return usageError{fmt.Errorf("--%s %q: want one of %s", flag, value, strings.Join(of, ", "))}
	}
	errs := []error{
		one("stragglers", f.stragglers, "wait", "terminate"),
		one("via", f.via, string(kube.ViaAuto), string(kube.ViaPortForward), string(kube.ViaExec), string(kube.ViaDirect)),
	}
	if f.output != "" {
		errs = append(errs, one("output", f.output, "text", "json"))
	}
	for _, kind := range f.accept {
		errs = append(errs, one("accept", kind, wiring.Consents...))
	}
	if f.until != "" {
		errs = append(errs, one("until", f.until, wiring.StepsOf(f.kind)...))
	}
	if f.cut && !f.compromised {
		errs = append(errs, usageError{errors.New("--cut is for a value that has leaked: it goes with --compromised")})
	}
	if !s.Terminal && !f.yes && !f.dryRun {
		errs = append(errs, usageError{rotation.WithHint(
			errors.New("there is no terminal to ask on, and --yes was not given: nothing was changed"),
			"agree beforehand with --yes, or look first with --dry-run")})
	}
	return errors.Join(errs...)
}

// request is a run that was asked for.
type request struct {
	runFlags
	kind config.Kind // "" where the target may be of any
	args []string
	back bool
}

// covers says whether the flags agree to questions of a kind.
func (f runFlags) covers(kind string) bool {
	return kind == rotation.ConsentProceed && f.yes || slices.Contains(f.accept, kind)
}

// policy is what the flags say about a run.
func (f runFlags) policy() wiring.Policy {
	p := wiring.Policy{
		Via: kube.Via(f.via), Reads: f.dryRun, Accepted: f.accept, Canary: f.canary,
		Timeout: f.timeout, Now: !f.wait,
		Terminate: f.stragglers == "terminate", Spare: f.stragglersSet && f.stragglers == "wait",
		Compromised: f.compromised, Cut: f.cut, Flush: f.flush, Asked: f.asked,
	}
	if f.soakSet {
		p.Soak = &f.soak
	}
	return p
}
