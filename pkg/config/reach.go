package config

import (
	"reflect"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// A ConfigMap that is found in the cluster is data of its namespace: anybody who may write there may have written it, and it is
// obeyed with the operator's rights. So it may configure its own namespace, and nothing beyond it. More is the will of the operator:
// it takes a file, or the ConfigMap's name in --config.

// rule says what a ConfigMap may set a field to. It gives the reason why a value takes --config; "" where it does not.
type rule func(n *yaml.Node, from tenant) (reason string)

// tenant is whose data a ConfigMap is.
type tenant struct {
	namespace string
	kind      Kind // of the target that a field is in
}

// free is a field that reaches no further than the namespace, or has fields of its own to look at.
func free(*yaml.Node, tenant) string { return "" }

// home is a namespace: the ConfigMap's own.
func home(n *yaml.Node, from tenant) string {
	if n.Value == from.namespace {
		return ""
	}
	return "its own namespace is " + from.namespace
}

// operators is a field that only the operator may set.
func operators(reason string) rule { return func(*yaml.Node, tenant) string { return reason } }

// holders keeps tokens with those who are given the key: other workloads would be sent tokens of it.
func holders(_ *yaml.Node, from tenant) string {
	if from.kind == KindJWT {
		return "pods that are not given the key would be sent tokens of it"
	}
	return ""
}

const (
	sendsFromHere  = "the request would be sent from the operator's machine"
	sendsSecret    = "the Secret would be sent to an address that does not hold it"
	dialsFromHere  = "the operator's machine would connect to the address"
	sendsPassword  = "the administrator's password would be sent to nodes that are not given it"
	logsInThere    = "the administrator would log in there"
	weakens        = "the administrator's password would be sent by a weaker method"
	ownsObjects    = "the administrator would make logins members of the role"
	signsClaims    = "tokens with these claims would be signed with the key"
	showsLogs      = "what pods have written would be shown to whoever may not read their logs"
	protectsOthers = "whether a context is protected is for a file to say"
	notYetKnown    = "how far the field reaches is not known"
)

// reach is the rule of each field, by the type that has it and its name in the file. A field without one is the operator's.
var reach = map[string]rule{
	"Config.apiVersion": free, "Config.targets": free, "Config.protected": operators(protectsOthers),

	"Target.name": free, "Target.kind": free, "Target.namespace": home, "Target.secret": free, "Target.also": free,
	"Target.consumers": holders, "Target.ignore": free, "Target.owner": free, "Target.interval": free, "Target.soak": free,
	"Target.before": free, "Target.gates": free, "Target.refused": free,
	"Target.notify": operators(sendsFromHere), "Target.grafana": operators(sendsFromHere), "Target.podOutput": operators(showsLogs),
	"Target.postgres": free, "Target.redis": free, "Target.jwt": free,

	"Secret.name": free, "Secret.namespace": home, "Secret.username": free, "Secret.password": free, "Secret.login": free,
	"Secret.dsn": free, "Secret.copies": free, "Secret.ignore": free,

	"KeyRef.name": free, "KeyRef.key": free,

	// The administrator's password goes to a pod that is given it already: for any other Secret see administrator in package cli. So an
	// authority or a name of the tenant's choice discloses nothing that the pod does not hold.
	"Admin.user": free, "Admin.secret": free,
	"Certificates.ca": free, "Certificates.serverName": free, "Certificates.certificate": free,

	"Postgres.pod": free, "Postgres.container": free, "Postgres.namespace": home, "Postgres.service": free, "Postgres.port": free,
	"Postgres.address": operators(dialsFromHere), "Postgres.through": operators(dialsFromHere), "Postgres.database": free,
	"Postgres.standbys": operators(logsInThere), "Postgres.auth": operators(weakens),
	"Postgres.sslmode": free, "Postgres.strategy": free, "Postgres.owner": operators(ownsObjects), "Postgres.admin": free,

	"Redis.pod": free, "Redis.container": free, "Redis.namespace": home, "Redis.port": free, "Redis.address": operators(dialsFromHere),
	"Redis.tls": free, "Redis.admin": free, "Redis.nodes": operators(sendsPassword),

	"Before.backup": free, "Before.windows": free,
	"Backup.cronJob": free, "Backup.snapshotsOf": free, "Backup.namespace": home, "Backup.maxAge": free,

	"Gates.ready": free, "Gates.urls": operators(sendsFromHere), "Gates.prometheus": free, "Gates.logs": free,
	"ReadyGate.path": free, "ReadyGate.port": free, "ReadyGate.scheme": free, "ReadyGate.consumers": free, "ReadyGate.hold": free,
	"ReadyGate.patience":  free,
	"PrometheusGate.name": free, "PrometheusGate.query": free, "PrometheusGate.max": free, "PrometheusGate.min": free,
	"PrometheusGate.hold": free, "PrometheusGate.patience": free,
	"Prometheus.url": operators(sendsFromHere), "Prometheus.service": free, "Prometheus.pod": free, "Prometheus.namespace": home,
	"Prometheus.port": free, "Prometheus.token": operators(sendsSecret),
	"Refused.query": free, "Refused.delay": free,
	"LogsGate.pattern": free,

	"JWT.active": free, "JWT.prefix": free, "JWT.key": free, "JWT.set": free, "JWT.setIn": free, "JWT.public": free, "JWT.algorithm": free,
	"JWT.lifetime": free, "JWT.leeway": free, "JWT.reloads": free, "JWT.probe": free, "JWT.sessions": free,
	"Sessions.patterns": free, "Sessions.database": free, "Sessions.redis": free,
	"JWTProbe.port": free, "JWTProbe.scheme": free, "JWTProbe.verify": free, "JWTProbe.issue": free, "JWTProbe.consumers": free,
	"JWTProbe.claims": operators(signsClaims),
	"Request.method":  free, "Request.path": free,
	"IssueRequest.method": free, "IssueRequest.path": free, "IssueRequest.field": free, "IssueRequest.consumers": free,
	"IssueRequest.body": operators(sendsSecret),
}

// beyond are the fields of a document that a ConfigMap of that namespace may not set. The document is known to fit t.
func beyond(n *yaml.Node, t reflect.Type, path *field.Path, from tenant) (all field.ErrorList) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch n.Kind {
	case yaml.SequenceNode:
		for i, one := range n.Content {
			all = append(all, beyond(one, t.Elem(), path.Index(i), from)...)
		}
	case yaml.MappingNode:
		if t == reflect.TypeFor[Target]() {
			from.kind = kindIn(n)
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			f, _ := fieldNamed(t, n.Content[i].Value) // it fits
			all = append(all, beyondField(n.Content[i+1], f, path.Child(n.Content[i].Value), from)...)
		}
	}
	return all
}

// beyondField is beyond for what a field is set to.
func beyondField(n *yaml.Node, f entry, path *field.Path, from tenant) field.ErrorList {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if isNothing(n) || n.Value == "" && len(n.Content) == 0 {
		return nil
	}
	reason := notYetKnown
	if r := reach[f.of.Name()+"."+yamlName(f.StructField)]; r != nil {
		reason = r(n, from)
	}
	if reason != "" {
		return field.ErrorList{field.Forbidden(path, "a ConfigMap may not set it: "+reason)}
	}
	return beyond(n, f.Type, path, from)
}

// kindIn is the kind of the target that a mapping is.
func kindIn(n *yaml.Node) Kind {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "kind" {
			if value := n.Content[i+1]; value.Kind == yaml.AliasNode {
				return Kind(value.Alias.Value)
			}
			return Kind(n.Content[i+1].Value)
		}
	}
	return ""
}
