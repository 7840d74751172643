package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
	"github.com/kubectl-rotate/kubectl-rotate/test/platform/load"
)

// metrics serves what the load has come to, where pods can scrape it, and gives the address.
func (w *world) metrics(run *load.Run) (address string) {
	w.Helper()
	way, err := net.Dial("udp", w.platform.PostgreSQL) // nothing is sent: it tells the address at which pods see us
	w.must("finding the way to pods", err)
	here, _, _ := net.SplitHostPort(way.LocalAddr().String())
	_ = way.Close()
	l, err := net.Listen("tcp", net.JoinHostPort(here, "0"))
	w.must("listening for Prometheus", err)
	s := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { //nolint:gosec // for a test
		now := run.Snapshot()
		fmt.Fprintf(rw, "# TYPE app_requests_total counter\napp_requests_total %d\n# TYPE app_errors_total counter\napp_errors_total %d\n", now.Requests, now.Failed)
	})}
	go func() { _ = s.Serve(l) }()
	w.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

const prometheusSettings = `global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- job_name: app
  static_configs: [{targets: [%q]}]
`

// prometheus runs Debian's, in a pod behind a Service, which scrapes target, and gives its address.
func (w *world) prometheus(target string) (address string) {
	w.Helper()
	labels := map[string]string{"app": "prometheus"}
	_, err := w.kube.CoreV1().ConfigMaps(w.ns).Create(w.ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "prometheus"}, Data: map[string]string{"prometheus.yml": fmt.Sprintf(prometheusSettings, target)},
	}, metav1.CreateOptions{})
	w.must("configuring Prometheus", err)
	_, err = w.kube.CoreV1().Services(w.ns).Create(w.ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "prometheus"},
		Spec:       corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(9090)}}},
	}, metav1.CreateOptions{})
	w.must("making its service", err)
	user, grace, file := int64(65532), int64(1), corev1.HostPathFile
	_, err = w.kube.CoreV1().Pods(w.ns).Create(w.ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "prometheus", Labels: labels},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &grace,
			SecurityContext:               &corev1.PodSecurityContext{RunAsUser: &user, RunAsGroup: &user, FSGroup: &user},
			Containers: []corev1.Container{{
				Name: "prometheus", Image: deploy.BaseImage, ImagePullPolicy: corev1.PullNever,
				Command: []string{"/prometheus", "--config.file=/config/prometheus.yml", "--storage.tsdb.path=/data", "--web.listen-address=:9090"},
				ReadinessProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
					HTTPGet: &corev1.HTTPGetAction{Path: "/-/ready", Port: intstr.FromInt32(9090)}}},
				VolumeMounts: []corev1.VolumeMount{{Name: "program", MountPath: "/prometheus"}, {Name: "config", MountPath: "/config"}, {Name: "data", MountPath: "/data"}},
			}},
			Volumes: []corev1.Volume{
				{Name: "program", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/usr/bin/prometheus", Type: &file}}},
				{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "prometheus"}}}},
				{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			},
		},
	}, metav1.CreateOptions{})
	w.must("making Prometheus", err)
	w.until("Prometheus is ready", func() bool {
		p, err := w.kube.CoreV1().Pods(w.ns).Get(w.ctx, "prometheus", metav1.GetOptions{})
		w.must("reading Prometheus", err)
		address = "http://" + p.Status.PodIP + ":9090"
		return len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].Ready
	})
	return address
}

// receiver is a webhook that keeps what it is told.
type receiver struct {
	mu   sync.Mutex
	said []map[string]any
}

// receives starts one, whose address is in secret webhooks, under these keys.
func (w *world) receives(keys ...string) *receiver {
	w.Helper()
	r := &receiver{}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		said := map[string]any{}
		err := json.NewDecoder(q.Body).Decode(&said)
		r.mu.Lock()
		defer r.mu.Unlock()
		said["path"] = q.URL.Path
		if err != nil {
			said["error"] = err.Error()
		}
		r.said = append(r.said, said)
	}))
	w.Cleanup(s.Close)
	data := map[string]string{}
	for _, k := range keys {
		data[k] = s.URL + "/t0psecret/" + k
	}
	_, err := w.kube.CoreV1().Secrets(w.ns).Create(w.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "webhooks"}, StringData: data}, metav1.CreateOptions{})
	w.must("keeping the webhooks", err)
	return r
}

// whats are what it was told as JSON, in order, and forgets it.
func (r *receiver) whats() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.said {
		if what, ok := s["what"].(string); ok {
			if s["back"] == true {
				what = "back " + what
			}
			all = append(all, what)
		}
	}
	r.said = nil
	return all
}

// last is the note of what it was told last.
func (r *receiver) last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	note, _ := r.said[len(r.said)-1]["note"].(string)
	return note
}

// gated writes a file with one target, that has these fields too, and lets the restricted user do what it takes.
func (w *world) gated(fields string) (path string) {
	w.Helper()
	path = filepath.Join(w.TempDir(), "targets.yaml")
	text := "apiVersion: kubectl-rotate/v1alpha1\ntargets:\n- name: postgres\n  kind: postgres\n" + fields
	w.must("writing the configuration", os.WriteFile(path, []byte(text), 0o600))
	printed := w.as("admin", "rbac", "--names=false", "--config", path)
	if printed.code != 0 {
		w.Fatalf("rbac: %s", printed)
	}
	var role rbacv1.Role
	w.must("reading the Role", yaml.UnmarshalStrict([]byte(printed.stdout), &role))
	role.Namespace = w.ns
	w.permit(&role)
	return path
}
