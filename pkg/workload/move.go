package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// How long a StatefulSet's controller is given to see its new template, and how often that is looked at.
const (
	seeing     = 5 * time.Second
	seeingStep = 100 * time.Millisecond
)

// Move gives the template of w the label of edition n, and changes nothing else of it; 0 takes the label away. It is
// ErrConflict if the template has another label by now than w says. One that has the label already stays as it is. Where
// somebody takes the same label away again and again it gives up, rather than have the pods roll for ever.
//
// A StatefulSet does not replace a pod that is not ready, not even by one of a template that is mended: such pods of
// w are evicted once the controller has seen the template.
func (c *Consumers) Move(ctx context.Context, w rotation.Workload, n int) error {
	kind, name, _ := strings.Cut(w.Name, "/")
	found, err := c.labelled(ctx, kind, name)
	if err != nil {
		return err
	}
	switch now := found.edition(kind, Label(c.Secret)); now {
	case n:
	case w.Edition:
		if err := c.insist(w.Name, n, found.Metadata.ManagedFields); err != nil {
			return err
		}
		if err := c.patch(ctx, kind, name, c.relabel(kind, found.Metadata.ResourceVersion, n)); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s was moved to edition %d: %w", w.Name, now, rotation.ErrConflict)
	}
	if kind == "statefulset" {
		return c.unblock(ctx, name, w)
	}
	return nil
}

// labelled is what Move has to know of a workload, of whatever kind.
type labelled struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		Template    pattern `json:"template"`
		JobTemplate struct {
			Spec struct {
				Template pattern `json:"template"`
			} `json:"spec"`
		} `json:"jobTemplate"`
	} `json:"spec"`
}

type pattern struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
}

// edition is what the template says.
func (l labelled) edition(kind, label string) int {
	if kind == "cronjob" {
		return editionIn(l.Spec.JobTemplate.Spec.Template.Metadata.Labels, label)
	}
	return editionIn(l.Spec.Template.Metadata.Labels, label)
}

// labelled reads one workload.
func (c *Consumers) labelled(ctx context.Context, kind, name string) (l labelled, err error) {
	r, ok := resources[kind]
	if !ok {
		return l, fmt.Errorf("%s/%s has no template that could be moved", kind, name)
	}
	text, err := c.rest(r.group).Get().Namespace(c.Namespace).Resource(r.resource).Name(name).
		SetHeader("Accept", runtime.ContentTypeJSON).Do(ctx).Raw()
	if err != nil {
		return l, c.explain("get", r.resource+" "+name, err)
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return l, fmt.Errorf("reading %s/%s: %w", kind, name, err)
	}
	return l, nil
}

// rest is the client of one API group, in its version 1.
func (c *Consumers) rest(group string) rest.Interface {
	if group == "batch" {
		return c.Client.BatchV1().RESTClient()
	}
	return c.Client.AppsV1().RESTClient()
}

// relabel is a JSON merge patch (RFC 7386) of the label, for the object as it was at version.
func (c *Consumers) relabel(kind, version string, n int) map[string]any {
	var value any // null removes
	if n > 0 {
		value = strconv.Itoa(n)
	}
	type object = map[string]any
	spec := object{"template": object{"metadata": object{"labels": object{Label(c.Secret): value}}}}
	if kind == "cronjob" {
		spec = object{"jobTemplate": object{"spec": spec}}
	}
	return object{"metadata": object{"resourceVersion": version}, "spec": spec}
}

func (c *Consumers) patch(ctx context.Context, kind, name string, change map[string]any) error {
	text, err := json.Marshal(change)
	if err != nil {
		return err
	}
	r := resources[kind]
	err = c.rest(r.group).Patch(types.MergePatchType).Namespace(c.Namespace).Resource(r.resource).Name(name).
		VersionedParams(&metav1.PatchOptions{FieldManager: FieldManager}, metav1.ParameterCodec).Body(text).Do(ctx).Error()
	if err != nil {
		return c.explain("patch", r.resource+" "+name, err)
	}
	return nil
}

// unblock evicts the pods of a StatefulSet for which its controller would wait for ever.
func (c *Consumers) unblock(ctx context.Context, name string, w rotation.Workload) error {
	var broken []rotation.Pod
	for _, p := range w.Pods {
		if p.Problem != "" && !p.Terminating && !p.Unreachable {
			broken = append(broken, p)
		}
	}
	if len(broken) == 0 {
		return nil
	}
	if err := c.await(ctx, name); err != nil {
		return err
	}
	for _, p := range broken {
		if err := c.Replace(ctx, w, p); err != nil {
			return err
		}
	}
	return nil
}

// await returns once the controller of a StatefulSet has seen its template; before that it would make the pod from the
// old one again.
func (c *Consumers) await(ctx context.Context, name string) error {
	err := wait.PollUntilContextTimeout(ctx, seeingStep, seeing, true, func(ctx context.Context) (bool, error) {
		s, err := c.Client.AppsV1().StatefulSets(c.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, c.explain("get", "statefulsets "+name, err)
		}
		return seen(s), nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return fmt.Errorf("the controller of statefulset/%s has not seen its new template within %v: %w", name, seeing, rotation.ErrNotYet)
	}
	return err
}

func seen(s *appsv1.StatefulSet) bool { return s.Status.ObservedGeneration >= s.Generation }
