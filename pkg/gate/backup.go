package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Backup is where to see whether there is a backup that is young enough: a CronJob that makes it, or
// the VolumeSnapshots of a claim. Without either somebody has to say it.
type Backup struct {
	Client               kubernetes.Interface
	Namespace            string
	CronJob, SnapshotsOf string
	MaxAge               time.Duration
	Now                  func() time.Time
	Text                 func(time.Duration) string // a duration, for people
}

// Look is whether there is one. Where that cannot be seen, the item asks for consent.
func (b Backup) Look(ctx context.Context) rotation.Item {
	item := rotation.Item{Name: "backup", Phase: rotation.ToDo, Consent: rotation.ConsentBackup}
	var at time.Time
	var what string
	var err error
	switch {
	case b.CronJob != "":
		what = "cronjob/" + b.CronJob
		at, err = b.succeeded(ctx)
	case b.SnapshotsOf != "":
		at, what, err = b.snapshot(ctx)
	default:
		item.Note = "nothing says where to see one: is there a backup to go back to?"
		return item
	}
	age := b.Now().Sub(at).Round(time.Minute)
	switch {
	case err != nil:
		item.Note = fmt.Sprintf("whether there is one could not be seen: %v", err)
	case at.IsZero():
		item.Note = fmt.Sprintf("%s in namespace %s has none yet", what, b.Namespace)
	case age > b.MaxAge:
		item.Note = fmt.Sprintf("that of %s is %s old, and may be %v", what, b.Text(age), b.Text(b.MaxAge))
	default:
		item.Phase, item.Note = rotation.Done, fmt.Sprintf("%s, %s ago", what, b.Text(age))
	}
	return item
}

// succeeded is when a CronJob last did; zero: never.
func (b Backup) succeeded(ctx context.Context) (time.Time, error) {
	j, err := b.Client.BatchV1().CronJobs(b.Namespace).Get(ctx, b.CronJob, metav1.GetOptions{})
	if err != nil {
		return time.Time{}, err
	}
	if j.Status.LastSuccessfulTime == nil {
		return time.Time{}, nil
	}
	return j.Status.LastSuccessfulTime.Time, nil
}

// snapshots are VolumeSnapshots (snapshot.storage.k8s.io/v1), as far as they are read here.
type snapshots struct {
	Items []struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Spec struct {
			Source struct {
				Claim string `json:"persistentVolumeClaimName"`
			} `json:"source"`
		} `json:"spec"`
		Status struct {
			Ready   bool      `json:"readyToUse"`
			Created time.Time `json:"creationTime"`
		} `json:"status"`
	} `json:"items"`
}

// snapshot is when the newest snapshot of a claim was made that can be used; zero: none was.
func (b Backup) snapshot(ctx context.Context) (at time.Time, name string, err error) {
	text, err := b.Client.Discovery().RESTClient().Get().
		AbsPath("/apis/snapshot.storage.k8s.io/v1/namespaces", b.Namespace, "volumesnapshots").DoRaw(ctx)
	if err != nil {
		return at, "", fmt.Errorf("listing volumesnapshots in namespace %s: %w", b.Namespace, err)
	}
	var all snapshots
	if err := json.Unmarshal(text, &all); err != nil {
		return at, "", fmt.Errorf("reading volumesnapshots: %w", err)
	}
	name = "persistentvolumeclaim/" + b.SnapshotsOf
	for _, s := range all.Items {
		if s.Spec.Source.Claim == b.SnapshotsOf && s.Status.Ready && s.Status.Created.After(at) {
			at, name = s.Status.Created, "volumesnapshot/"+s.Metadata.Name
		}
	}
	return at, name, nil
}
