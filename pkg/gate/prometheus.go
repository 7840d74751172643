package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Prometheus is a server that is asked by its HTTP API, version 1.
type Prometheus struct {
	URL    string          // without /api
	Token  rotation.Secret // a bearer token; empty: none
	Client *http.Client    // the way there
}

// Bounds is a query all of whose values have to lie between two bounds.
type Bounds struct {
	*Prometheus
	Query    string
	Min, Max *float64 // nil: no bound
}

// sample is a series and its value, as Prometheus writes them: the time, and the value as text.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

// answer is what Prometheus says to a query (its HTTP API, version 1).
type answer struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Data   struct {
		Type   string          `json:"resultType"`
		Result json.RawMessage `json:"result"`
	} `json:"data"`
}

// Since stands in a query for how long ago something was.
const Since = "{since}"

// mostAnswered is how much of an answer is read: a gate's query has a few values.
const mostAnswered = 4 << 20

// mostSaid is how many bytes of an error of Prometheus are shown.
const mostSaid = 400

// Look is bad when a value is out of bounds. None at all, and one that is no number, say nothing.
func (b *Bounds) Look(ctx context.Context, _ rotation.Record) (rotation.Item, error) {
	samples, err := b.query(ctx, b.Query)
	if err != nil {
		return rotation.Item{}, err
	}
	if len(samples) == 0 {
		return rotation.Item{Phase: rotation.Waiting, Note: "the query finds nothing; add `or vector(0)` where that means none"}, nil
	}
	worst, of, over := 0.0, "", math.Inf(-1)
	for i, s := range samples {
		v, err := s.number()
		if err != nil {
			return rotation.Item{Phase: rotation.Waiting, Note: err.Error()}, nil
		}
		if by := b.over(v); by > over || i == 0 {
			worst, of, over = v, named(s.Metric), by
		}
	}
	note := fmt.Sprintf("%s%s, %s", number(worst), of, b.bounds())
	if over > 0 {
		return rotation.Item{Phase: rotation.Failed, Note: note}, nil
	}
	return rotation.Item{Phase: rotation.Done, Note: note}, nil
}

// Total is the sum of all values of a query, where {since} stands for how long ago that is, as PromQL writes a time. None at all,
// and one that is no number, are errors.
func (p *Prometheus) Total(ctx context.Context, query string, since time.Duration) (float64, error) {
	samples, err := p.query(ctx, strings.ReplaceAll(query, Since, fmt.Sprintf("%ds", max(1, int64(math.Ceil(since.Seconds()))))))
	switch {
	case err != nil:
		return 0, err
	case len(samples) == 0:
		return 0, errors.New("the query finds nothing; add `or vector(0)` where that means none")
	}
	total := 0.0
	for _, s := range samples {
		v, err := s.number()
		if err != nil {
			return 0, err
		}
		total += v
	}
	if math.IsInf(total, 0) {
		return 0, errors.New("the sum is beyond all numbers")
	}
	return total, nil
}

// number is the value of a sample.
func (s sample) number() (float64, error) {
	text, _ := s.Value[1].(string)
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) {
		return 0, fmt.Errorf("the value%s is %s, which is no number", named(s.Metric), text)
	}
	return v, nil
}

// over is by how much a value is out of bounds; negative inside.
func (b *Bounds) over(v float64) float64 {
	by := math.Inf(-1)
	if b.Max != nil {
		by = max(by, v-*b.Max)
	}
	if b.Min != nil {
		by = max(by, *b.Min-v)
	}
	return by
}

func (b *Bounds) bounds() string {
	switch {
	case b.Max == nil:
		return "at least " + number(*b.Min)
	case b.Min == nil:
		return "at most " + number(*b.Max)
	}
	return fmt.Sprintf("between %s and %s", number(*b.Min), number(*b.Max))
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// named tells a series from others by its labels.
func named(labels map[string]string) string {
	for _, name := range []string{"pod", "instance", "job"} {
		if v := labels[name]; v != "" {
			return fmt.Sprintf(" of %s %s", name, v)
		}
	}
	return ""
}

func (p *Prometheus) query(ctx context.Context, query string) ([]sample, error) {
	form := url.Values{"query": {query}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(p.URL, "/")+"/api/v1/query", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !p.Token.Empty() {
		r.Header.Set("Authorization", "Bearer "+string(p.Token.Reveal()))
	}
	way := *p.Client
	way.CheckRedirect = stay // the token and the query are for nobody else
	status, body, err := ask(&way, r, mostAnswered+1)
	if err != nil {
		return nil, fmt.Errorf("asking Prometheus: %w", err)
	}
	a, err := readAnswer(status, body)
	if err != nil {
		return nil, fmt.Errorf("asking Prometheus: %w", err)
	}
	return a.samples()
}

// readAnswer is a query's answer that is one. What stands in front of Prometheus answers in its own way, in JSON or not.
func readAnswer(status int, body []byte) (a answer, err error) {
	switch bad := json.Unmarshal(body, &a); {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return a, fmt.Errorf("it answers %d: the token is not accepted, or there is none", status)
	case status >= 300 && status <= 399:
		return a, fmt.Errorf("it answers %d: no redirect is followed, the address has to be the one that it leads to", status)
	case len(body) > mostAnswered:
		return a, fmt.Errorf("it answers with more than %d MB: have the query give fewer series", mostAnswered>>20)
	case bad != nil:
		return a, fmt.Errorf("it answers %d, with something else than JSON", status)
	case a.Status == "success":
		return a, nil
	case a.Error == "":
		return a, fmt.Errorf("it answers %d, with nothing that Prometheus says", status)
	case len(a.Error) > mostSaid:
		a.Error = strings.ToValidUTF8(a.Error[:mostSaid], "") + "…"
	}
	return a, errors.New(a.Error)
}

// samples are the values of a vector, or the one of a scalar.
func (a answer) samples() (all []sample, err error) {
	switch a.Data.Type {
	case "vector":
		err = json.Unmarshal(a.Data.Result, &all)
	case "scalar":
		all = make([]sample, 1)
		err = json.Unmarshal(a.Data.Result, &all[0].Value)
	default:
		return nil, errors.New("asking Prometheus: the query gives a " + a.Data.Type + ", not one value or one for each series")
	}
	if err != nil {
		return nil, fmt.Errorf("asking Prometheus: reading its answer: %w", err)
	}
	return all, nil
}
