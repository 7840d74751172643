package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What a pod does is on the screen within a fifth of a second, and a screen that waits costs next to nothing.
func TestTheScreenIsLiveAndCheap(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	s := w.terminal(120, 50)
	pods, err := w.kube.CoreV1().Pods(w.ns).Watch(w.ctx, metav1.ListOptions{LabelSelector: "app=backend"})
	w.must("watching pods", err)
	defer pods.Stop()
	before := map[string]bool{}
	for _, p := range w.pods() {
		before[p.Name] = true
	}
	s.run("postgres", "--yes", "--soak=5m")
	var late []time.Duration
	for len(late) < 3 {
		select {
		case e := <-pods.ResultChan():
			if p, ok := e.Object.(*corev1.Pod); ok && !before[p.Name] && ready(*p) {
				before[p.Name] = true
				late = append(late, s.after(p.Name+": ready"))
			}
		case <-w.ctx.Done():
			t.Fatal(w.ctx.Err())
		}
	}
	t.Logf("a pod was shown to be ready after %v", late)
	if slices.Sort(late); late[1] > 200*time.Millisecond {
		t.Errorf("pods were shown to be ready after %v, want the median within 200 ms", late)
	}

	s.shows("[~] soak")
	pid := s.process()
	const window = 20 * time.Second
	began, used := time.Now(), cpu(t, pid)
	w.until("the window has passed", func() bool { return time.Since(began) >= window })
	share := (cpu(t, pid) - used).Seconds() / time.Since(began).Seconds()
	t.Logf("waiting took %.1f%% of a core", 100*share)
	if share > 0.05 {
		t.Errorf("waiting took %.1f%% of a core, want below 5%%", 100*share)
	}
	s.press("q")
	s.shows("exit code 3")
}

// after is how long it took until the word was on the screen.
func (s *terminal) after(word string) time.Duration {
	s.Helper()
	began := time.Now()
	for !strings.Contains(s.screen(), word) {
		if time.Since(began) > 30*time.Second {
			s.Fatalf("no word of %q on the screen:\n%s", word, s.screen())
		}
	}
	return time.Since(began).Round(time.Millisecond)
}

// process is the program that runs in the terminal's shell.
func (s *terminal) process() int {
	s.Helper()
	shell := strings.TrimSpace(s.tmux("display-message", "-p", "-t", s.name, "#{pane_pid}"))
	children, err := os.ReadFile(fmt.Sprintf("/proc/%s/task/%s/children", shell, shell))
	s.must("looking for the program", err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(children)))
	s.must("looking for the program", err)
	return pid
}

// cpu is the time that a process has computed so far.
func cpu(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	total := 0
	for _, field := range fields[11:13] { // utime and stime: see proc_pid_stat(5)
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	return time.Duration(total) * time.Second / 100
}
